package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/notify"
)

// ruleFlags are the flags of add, edit and preview.
type ruleFlags struct {
	given notify.RuleDefinition
	to    []string
	quiet []string
	ready string
	onOff
}

func (f *ruleFlags) flags(cmd *cobra.Command) {
	g, flags := &f.given, cmd.Flags()
	flags.StringVar(&g.Name, "name", "", "what it is called")
	flags.StringSliceVar(&g.Types, "type", nil, "type of event, or a pattern such as 'scan.*'; several times. patrol rules types lists them")
	flags.StringVar(&g.When, "when", "", `CEL over event, findings and node, such as 'findings.exists(f, f.kev)'; "" for always`)
	flags.StringVar(&g.Team, "team", "", "name of a team: only what is about its nodes")
	flags.IntVar(&g.MinNodes, "min-nodes", 0, "only once a vulnerability is open on so many nodes")
	flags.StringVar(&g.GroupBy, "group-by", "", "what one notification is about: vulnerability, node, scan or occurrence; vulnerability unless given")
	flags.IntVar(&g.Limit, "limit", 0, "how many notifications in ten minutes; what is more is told in one. 100 unless given")
	flags.StringVar(&g.Digest, "digest", "", `when everything is told together: cron, @hourly, @daily or @weekly; "" for at once`)
	flags.StringVar(&g.TimeZone, "time-zone", "", "IANA name, such as Europe/Berlin, of the digest and the quiet hours; UTC unless given")
	flags.BoolVar(&g.EvenIfEmpty, "even-if-empty", false, "a digest comes though there is nothing to tell")
	flags.StringArrayVar(&f.quiet, "quiet", nil, `when nothing is sent, such as "mon-fri 22:00-07:00", "sat,sun 00:00-00:00" or "22:00-07:00"; several times; "" for never`)
	flags.BoolVar(&g.Resolved, "resolved", false, "also tell of what is resolved where nothing is kept open, such as in a chat")
	flags.StringVar(&g.Title, "title", "", "template of the title, in Go's text/template")
	flags.StringVar(&g.Text, "text", "", "template of the text, in Go's text/template")
	flags.StringArrayVar(&f.to, "to", nil, "name or id of an integration; several times")
	f.onOff.flags(cmd)
}

func (f *ruleFlags) readyFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ready, "ready", "", "name of a rule to begin with, which the other flags change: patrol rules ready lists them")
}

// new returns a definition as the flags say it.
func (f *ruleFlags) new(cmd *cobra.Command, r *remote) (d notify.RuleDefinition, err error) {
	c, err := r.client()
	if err != nil {
		return d, err
	}
	d.Enabled = true
	if f.ready != "" {
		if d, err = readyMade(cmd.Context(), c, f.ready); err != nil {
			return d, err
		}
	}
	return d, f.apply(cmd, c, &d)
}

func readyMade(ctx context.Context, c *client.Client, name string) (notify.RuleDefinition, error) {
	var names []string
	for d, err := range client.List[notify.RuleDefinition](ctx, c, "rules/ready", nil) {
		if err != nil {
			return d, err
		}
		if d.Name == name {
			return d, nil
		}
		names = append(names, fmt.Sprintf("%q", d.Name))
	}
	return notify.RuleDefinition{}, fmt.Errorf("--ready %q is none of %s", name, strings.Join(names, ", "))
}

// apply changes what was given.
func (f *ruleFlags) apply(cmd *cobra.Command, c *client.Client, d *notify.RuleDefinition) (err error) {
	g := f.given
	for flag, set := range map[string]func(){
		"name":          func() { d.Name = g.Name },
		"type":          func() { d.Types = slices.DeleteFunc(g.Types, func(t string) bool { return t == "" }) },
		"when":          func() { d.When = g.When },
		"team":          func() { d.Team = g.Team },
		"min-nodes":     func() { d.MinNodes = g.MinNodes },
		"group-by":      func() { d.GroupBy = g.GroupBy },
		"limit":         func() { d.Limit = g.Limit },
		"digest":        func() { d.Digest = g.Digest },
		"time-zone":     func() { d.TimeZone = g.TimeZone },
		"even-if-empty": func() { d.EvenIfEmpty = g.EvenIfEmpty },
		"resolved":      func() { d.Resolved = g.Resolved },
		"title":         func() { d.Title = g.Title },
		"text":          func() { d.Text = g.Text },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	if enabled := f.change(); enabled != nil {
		d.Enabled = *enabled
	}
	if cmd.Flags().Changed("quiet") {
		if d.Quiet, err = quietOf(f.quiet); err != nil {
			return err
		}
	}
	if cmd.Flags().Changed("to") {
		d.Integrations, err = integrationIDs(cmd.Context(), c, f.to)
	}
	d.Types, d.Integrations = append([]string{}, d.Types...), append([]string{}, d.Integrations...) // no list is null
	return err
}

// integrationIDs returns the ids of integrations; of "" none.
func integrationIDs(ctx context.Context, c *client.Client, named []string) ([]string, error) {
	ids := []string{}
	for _, name := range named {
		if name == "" {
			continue
		}
		id, err := idOf(ctx, c, anIntegration.resource, anIntegration.what, name)
		if err != nil {
			return nil, fmt.Errorf("--to: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// week are the days in the order in which people name ranges of them.
var week = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// quietOf reads "DAYS FROM-TO", of which the days may be missing. What is no time of
// the day the console refuses.
func quietOf(texts []string) ([]notify.Quiet, error) {
	all := []notify.Quiet{}
	for _, text := range texts {
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		from, to, ok := strings.Cut(words[len(words)-1], "-")
		q := notify.Quiet{From: from, To: to}
		if len(words) == 2 && ok {
			q.Days, ok = daysOf(words[0])
		}
		if !ok || len(words) > 2 {
			return nil, fmt.Errorf(`--quiet %q is not written as "mon-fri 22:00-07:00": days of mon, tue, wed, thu, fri, sat, sun if not all, a space, from when to when`, text)
		}
		all = append(all, q)
	}
	return all, nil
}

// daysOf reads "mon-fri,sun". A range may go over the end of the week.
func daysOf(text string) (days []string, ok bool) {
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(week, first), slices.Index(week, last)
		if from < 0 || to < 0 {
			return nil, false
		}
		for i := from; ; i = (i + 1) % len(week) {
			days = append(days, week[i])
			if i == to {
				break
			}
		}
	}
	return days, true
}

// quietText is the writing that quietOf reads.
func quietText(q notify.Quiet) string {
	return strings.TrimSpace(strings.Join(q.Days, ",") + " " + q.From + "-" + q.To)
}
