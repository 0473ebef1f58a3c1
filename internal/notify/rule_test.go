package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"patrol/internal/notify"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/rest"
)

func TestRuleRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(d *notify.RuleDefinition)
		field  string
		says   string
	}{
		"no name":             {func(d *notify.RuleDefinition) { d.Name = " " }, "name", "empty"},
		"no types":            {func(d *notify.RuleDefinition) { d.Types = nil }, "types", "never tell"},
		"unknown type":        {func(d *notify.RuleDefinition) { d.Types = []string{"scan.exploded"} }, "types", `"scan.exploded" is no type`},
		"pattern of none":     {func(d *notify.RuleDefinition) { d.Types = []string{"moon.*"} }, "types", `"moon.*"`},
		"condition":           {func(d *notify.RuleDefinition) { d.When = `node.colour == "red"` }, "when", "colour"},
		"no condition":        {func(d *notify.RuleDefinition) { d.When = `node.name` }, "when", "true or false"},
		"group":               {func(d *notify.RuleDefinition) { d.GroupBy = "moon" }, "group_by", "moon"},
		"nodes of nodes":      {func(d *notify.RuleDefinition) { d.GroupBy, d.MinNodes = notify.ByNode, 2 }, "min_nodes", "by node"},
		"heartbeat of none":   {func(d *notify.RuleDefinition) { d.EvenIfEmpty = true }, "even_if_empty", "digest"},
		"digest":              {func(d *notify.RuleDefinition) { d.Digest = "at noon" }, "digest", ""},
		"digest's own zone":   {func(d *notify.RuleDefinition) { d.Digest = "CRON_TZ=UTC 0 8 * * *" }, "digest", ""},
		"zone":                {func(d *notify.RuleDefinition) { d.TimeZone = "Mars/Base" }, "time_zone", "Mars/Base"},
		"this machine's zone": {func(d *notify.RuleDefinition) { d.TimeZone = "Local" }, "time_zone", "Local"},
		"quiet from":          {func(d *notify.RuleDefinition) { d.Quiet = []notify.Quiet{{From: "10pm", To: "07:00"}} }, "quiet[0].from", "10pm"},
		"quiet to":            {func(d *notify.RuleDefinition) { d.Quiet = []notify.Quiet{{From: "22:00", To: "24:30"}} }, "quiet[0].to", "24:30"},
		"quiet day": {func(d *notify.RuleDefinition) {
			d.Quiet = []notify.Quiet{{Days: []string{"moonday"}, From: "22:00", To: "07:00"}}
		}, "quiet[0].days", "moonday"},
		"title": {func(d *notify.RuleDefinition) { d.Title = "{{.Titel}}" }, "title", "Titel"},
		"text":  {func(d *notify.RuleDefinition) { d.Text = "{{call .Title}}" }, "text", "call"},
	} {
		d := about()
		c.change(&d)
		if p := wantProblem(t, d.Check(), 422, c.field); !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s: says %q; want %q in it", name, p.Detail, c.says)
		}
	}
	for _, types := range [][]string{{"*"}, {"scan.*"}, {"occurrence.opened", "feed.stale"}, {"occ*"}} {
		if err := of(types).Check(); err != nil {
			t.Errorf("%v: %v", types, err)
		}
	}
	for _, d := range notify.ReadyMade() {
		if err := d.Check(); err != nil {
			t.Errorf("ready-made rule %q: %v", d.Name, err)
		}
	}
}

// What a rule names has to be there, and its name is its own.
func TestRuleNames(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := about("nowhere")
		_, err := h.CreateRule(t.Context(), d)
		wantProblem(t, err, 422, "integrations[0]")
		d = about()
		d.Team = "web"
		_, err = h.CreateRule(t.Context(), d)
		wantProblem(t, err, 422, "team")
		if _, err := h.auth.CreateTeam(t.Context(), auth.NewTeam{Name: "web", Selector: `node.labels.team == "web"`}); err != nil {
			t.Fatal(err)
		}
		first := h.rule(d)
		if r := h.getRule(first); r.Limit != 100 || r.GroupBy != notify.ByVulnerability || r.TimeZone != "UTC" || r.Types == nil || r.Integrations == nil {
			t.Errorf("completed to %+v", r)
		}
		_, err = h.CreateRule(t.Context(), d)
		wantProblem(t, err, 409, "")
		other := about()
		other.Name = "Other"
		second := h.rule(other)
		_, err = h.EditRule(t.Context(), second, d)
		wantProblem(t, err, 409, "")
		_, err = h.EditRule(t.Context(), "nobody", other)
		wantProblem(t, err, 404, "")
		page, err := h.Rules(t.Context(), rest.Paging{Limit: 1})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != first || page.Next == "" {
			t.Errorf("the first page: %+v, %v", page, err)
		}
		page, err = h.Rules(t.Context(), rest.Paging{Limit: 1, Cursor: page.Next})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != second || page.Next != "" {
			t.Errorf("the second page: %+v, %v", page, err)
		}
		r, err := h.EditRule(t.Context(), second, other)
		if err != nil || r.Warning == "" {
			t.Errorf("a rule without integrations warns %q, %v", r.Warning, err)
		}
		other.Integrations, other.Types, other.When = []string{h.integration("chat", "here")}, []string{"scan.failed"}, `findings.exists(f, f.kev)`
		r, err = h.EditRule(t.Context(), second, other)
		if err != nil || !strings.Contains(r.Warning, "asks about findings") {
			t.Errorf("a rule that asks of failed scans what they found warns %q, %v", r.Warning, err)
		}
		if err := h.DeleteRule(t.Context(), second); err != nil {
			t.Error(err)
		}
		wantProblem(t, h.DeleteRule(t.Context(), second), 404, "")
	})
}

// A rule tells of what matters by a condition over findings, node and event.
func ExampleRuleDefinition() {
	d := notify.RuleDefinition{
		Name: "Exploited or critical, in production", Enabled: true,
		Types: []string{"occurrence.opened", "occurrence.reassessed"},
		When:  `node.labels.env == "production" && findings.exists(f, f.kev || f.severity == "critical" && f.epss > 0.1)`,
		// A vulnerability is told once, on however many nodes it is.
		GroupBy: notify.ByVulnerability, Resolved: true,
		Quiet: []notify.Quiet{{Days: []string{"sat", "sun"}, From: "00:00", To: "00:00"}}, TimeZone: "Europe/Berlin",
		Title: `{{.Severity | upper}}: {{(index .Findings 0).Vulnerability}}`,
	}
	fmt.Println(d.Check())
	d.When = `findings.exists(f, f.severty == "critical")`
	fmt.Println(strings.Split(d.Check().Error(), "\n")[0])
	// Output:
	// <nil>
	// when: ERROR: <input>:1:21: undefined field 'severty'
}
