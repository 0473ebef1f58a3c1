package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/notify"
	"patrol/internal/report"
)

func rulesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "rules", Short: "What is told to whom"}
	r.flags(cmd)
	cmd.AddCommand(listRulesCommand(&r), getRuleCommand(&r), typesCommand(&r), readyCommand(&r), addRuleCommand(&r), editRuleCommand(&r), previewRuleCommand(&r), deleteRuleCommand(&r))
	return cmd
}

func listRulesCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules of notifications", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := r.client()
			if err != nil {
				return err
			}
			names := map[string]string{} // without them ids are shown
			if output == "table" {
				names, _ = namesOf(ctx, c)
			}
			return showList(cmd.OutOrStdout(), output, client.List[notify.Rule](ctx, c, "rules", nil), []column[notify.Rule]{
				{"ID", func(r notify.Rule) string { return r.ID }},
				{"NAME", func(r notify.Rule) string { return r.Name }},
				{"ENABLED", func(r notify.Rule) string { return yesNo(r.Enabled) }},
				{"TYPES", func(r notify.Rule) string { return orDash(strings.Join(r.Types, ", ")) }},
				{"WHEN", func(r notify.Rule) string { return orDash(r.When) }},
				{"TO", func(r notify.Rule) string { return orDash(strings.Join(integrationNames(r.Integrations, names), ", ")) }},
				{"AT", toldOf},
				{"ERROR", func(r notify.Rule) string { return orDash(r.Error) }},
			})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// integrationNames returns the names of integrations, where they are known.
func integrationNames(ids []string, names map[string]string) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = cmp.Or(names[id], id)
	}
	return list
}

// toldOf tells when a rule tells.
func toldOf(r notify.Rule) string {
	if r.Digest == "" {
		return "at once"
	}
	return fmt.Sprintf("%s, next %s", r.Digest, moment(r.DigestAt))
}

// askOfRule asks something of rules, and tells all of the one that comes of it.
func askOfRule(ctx context.Context, r *remote, w io.Writer, output, method, path string, body any) error {
	return ask(ctx, r, w, output, method, path, body, func(w io.Writer, rule notify.Rule) {
		if c, err := r.client(); err == nil {
			names, _ := namesOf(ctx, c) // without them ids are shown
			rule.Integrations = integrationNames(rule.Integrations, names)
		}
		tellRule(w, rule)
	})
}

func tellRule(w io.Writer, r notify.Rule) {
	fmt.Fprintf(w, "Rule %s, %s: %s\n", r.ID, report.Clean(r.Name), map[bool]string{true: "enabled", false: "disabled"}[r.Enabled])
	tellDefinition(w, r.RuleDefinition)
	if !r.DigestAt.IsZero() {
		fmt.Fprintln(w, "The next digest is due at", moment(r.DigestAt))
	}
	if r.Error != "" {
		fmt.Fprintf(w, "It failed at %s: %s\n", moment(r.ErrorAt), report.Clean(r.Error))
	}
	if r.Warning != "" {
		fmt.Fprintln(w, "Warning:", report.Clean(r.Warning))
	}
}

func tellDefinition(w io.Writer, d notify.RuleDefinition) {
	quiet := make([]string, len(d.Quiet))
	for i, q := range d.Quiet {
		quiet[i] = quietText(q)
	}
	for _, line := range []struct{ what, says string }{
		{"types", strings.Join(d.Types, ", ")},
		{"when", d.When},
		{"team", d.Team},
		{"min nodes", count(d.MinNodes)},
		{"group by", d.GroupBy},
		{"limit", count(d.Limit)},
		{"digest", d.Digest},
		{"time zone", d.TimeZone},
		{"even if empty", told(d.EvenIfEmpty)},
		{"quiet", strings.Join(quiet, "; ")},
		{"resolved", told(d.Resolved)},
		{"title", d.Title},
		{"text", d.Text},
		{"to", strings.Join(d.Integrations, ", ")},
	} {
		if line.says != "" {
			fmt.Fprintf(w, "  %-14s %s\n", line.what, cleanLines(line.says, "                 "))
		}
	}
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func told(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

func getRuleCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get RULE", Short: "Show a rule", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, path, err := aRule.find(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			return askOfRule(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodGet, path, nil)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func typesCommand(r *remote) *cobra.Command {
	cmd := listCommand(r, "rules/types", "List the types of event that rules may be about", nil, []column[notify.EventType]{
		{"TYPE", func(t notify.EventType) string { return t.Name }},
		{"OF FINDINGS", func(t notify.EventType) string { return yesNo(t.Findings) }},
		{"MEANS", func(t notify.EventType) string { return t.Doc }},
	})
	cmd.Use = "types"
	return cmd
}

func readyCommand(r *remote) *cobra.Command {
	cmd := listCommand(r, "rules/ready", "List rules to begin with", nil, []column[notify.RuleDefinition]{
		{"NAME", func(d notify.RuleDefinition) string { return d.Name }},
		{"TYPES", func(d notify.RuleDefinition) string { return orDash(strings.Join(d.Types, ", ")) }},
		{"WHEN", func(d notify.RuleDefinition) string { return orDash(d.When) }},
		{"TOLD", func(d notify.RuleDefinition) string {
			if d.Digest == "" {
				return "at once"
			}
			return d.Digest
		}},
	})
	cmd.Use = "ready"
	return cmd
}

func addRuleCommand(r *remote) *cobra.Command {
	var f ruleFlags
	var output string
	cmd := &cobra.Command{
		Use: "add", Short: "Add a rule, which tells of what happens from now on", Args: cobra.NoArgs,
		Example: `  patrol rules add --ready "Agent gone" --to security
  patrol rules add --name "Production" --type occurrence.opened --to security --to jira \
    --when 'node.labels["env"] == "production" && findings.exists(f, f.kev || f.score >= 9.0)'
  patrol rules add --name "Each morning" --type occurrence.opened --digest "0 8 * * 1-5" --time-zone Europe/Berlin --to mail`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.new(cmd, r)
			if err != nil {
				return err
			}
			return askOfRule(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "rules", d)
		},
	}
	f.flags(cmd)
	f.readyFlag(cmd)
	cmd.MarkFlagsOneRequired("name", "ready")
	outputFlag(cmd, &output)
	return cmd
}

func editRuleCommand(r *remote) *cobra.Command {
	var f ruleFlags
	var output string
	cmd := &cobra.Command{
		Use: "edit RULE", Short: "Change a rule; what is not given stays", Args: cobra.ExactArgs(1),
		Example: `  patrol rules edit Production --quiet "mon-fri 22:00-07:00" --quiet "sat,sun 00:00-00:00"
  patrol rules edit Production --digest "" --to security`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := aRule.find(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			var was notify.Rule
			if err := c.Do(cmd.Context(), http.MethodGet, path, nil, &was); err != nil {
				return err
			}
			d := was.RuleDefinition
			if err := f.apply(cmd, c, &d); err != nil {
				return err
			}
			return askOfRule(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPut, path, d)
		},
	}
	f.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func previewRuleCommand(r *remote) *cobra.Command {
	var f ruleFlags
	var output string
	cmd := &cobra.Command{
		Use: "preview", Short: "Show what a rule would have told of the last events", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := f.new(cmd, r)
			if err != nil {
				return err
			}
			if d.Name == "" {
				d.Name = "Preview"
			}
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "rules/preview", d, tellPreview)
		},
	}
	f.flags(cmd)
	f.readyFlag(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func tellPreview(w io.Writer, p notify.RulePreview) {
	if p.Example {
		fmt.Fprintf(w, "Of the last %d events it would have told nothing. An example:\n", p.Events)
	} else {
		fmt.Fprintf(w, "Of the last %d events it would have made %d notifications, the newest first:\n", p.Events, p.Matters)
	}
	for _, n := range p.Notifications {
		fmt.Fprintf(w, "\n%s (%s, %s, %s)\n  %s\n", report.Clean(n.Title), n.Action, n.Severity, moment(n.Time), cleanLines(n.Text, "  "))
		for _, fact := range n.Facts {
			fmt.Fprintf(w, "  %s: %s\n", report.Clean(fact.Name), report.Clean(fact.Value))
		}
	}
	if p.Error != "" {
		fmt.Fprintln(w, "\nWarning:", report.Clean(p.Error))
	}
}

func deleteRuleCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete RULE", Short: "Delete a rule; what it has to deliver is delivered still", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return aRule.remove(cmd.Context(), r, args[0]) },
	}
}
