package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"patrol/internal/notify"
)

// told is a notification about two findings.
func told() notify.Notification {
	return notify.Notification{
		Action: notify.Opened, Rule: "Findings", Type: notify.OccurrenceOpened, Severity: "critical", Title: "2 vulnerabilities", Text: "Look.",
		Facts: []notify.Fact{{Name: "Nodes", Value: "web-1"}},
		Findings: []notify.Finding{
			{Vulnerability: "CVE-2026-1", Severity: "critical", Package: "openssl", Fixed: []string{"3.0.15", "3.1.7"}, Node: notify.Node{Name: "web-1", Labels: map[string]string{"team": "web"}}},
			{Vulnerability: "CVE-2026-2", Severity: "low", Package: "bash", Fixed: []string{}, Node: notify.Node{Name: "web-1", Labels: map[string]string{}}},
		},
		Total: 2, Nodes: 1, Data: json.RawMessage(`{"cause":"schedule","opened":2}`),
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		`{{.Title}}`: "2 vulnerabilities",
		`{{.Severity | upper}} {{title .Severity}} {{title "ärger"}} {{title ""}} {{lower "ABC"}}`: "CRITICAL Critical Ärger  abc",
		`{{range .Findings}}{{.Vulnerability}} in {{.Package}}; {{end}}`:                           "CVE-2026-1 in openssl; CVE-2026-2 in bash;",
		`{{range $i, $f := .Findings}}{{$i}}={{$f.Package}} {{end}}`:                               "0=openssl 1=bash",
		`{{range first 1 .Findings}}{{.Vulnerability}}{{end}}{{len (first 9 .Findings)}}`:          "CVE-2026-12",
		`{{range .Findings}}{{with .Fixed}}fixed in {{join ", " .}}{{else}}no fix{{end}}; {{end}}`: "fixed in 3.0.15, 3.1.7; no fix;",
		`{{range .Findings}}{{range .Fixed}}{{.}} {{end}}{{end}}`:                                  "3.0.15 3.1.7",
		`{{range .Facts}}{{.Name}}: {{.Value}}{{end}}`:                                             "Nodes: web-1",
		`{{range .Findings}}[{{.Node.Labels.team}}]{{end}}`:                                        "[web][]",
		`{{.Data.cause}} {{.Data.opened}}{{.Data.missing}}`:                                        "schedule 2",
		`{{range .Data.missing}}never{{else}}nothing{{end}}`:                                       "nothing",
		`{{if and (eq .Severity "critical") (gt .Total 1)}}bad{{end}}`:                             "bad",
		`{{printf "%d of %s" .Total .Severity}} {{print .Nodes}}`:                                  "2 of critical 1",
		`{{short 5 .Title}}`:                                "2 vu…",
		"  \n{{/* nothing */}}said\n":                       "said",
		`{{$worst := index .Findings 0}}{{$worst.Package}}`: "openssl",
		`{{range .Findings}}{{if eq .Severity "low"}}{{break}}{{end}}{{.Package}}{{end}}`: "openssl",
	} {
		got, err := notify.Words(text, told())
		if err != nil || got != want {
			t.Errorf("%s\nmakes %q, %v; want %q", text, got, err, want)
		}
	}
}

// What would not end, call what it must not, or make too much is refused, or fails.
func TestWordsRefused(t *testing.T) {
	doubled := `{{$x := "0123456789"}}` + strings.Repeat(`{{$x = printf "%s%s" $x $x}}`, 60)
	for text, want := range map[string]string{
		`{{.Title`:                           "line 1: unclosed action",
		`{{nothing .Title}}`:                 `line 1: function "nothing" not defined`,
		"\n  {{.Titel}}":                     "line 2, at .Titel: there is no field Titel there, only Key, Action, Rule, Type",
		`{{range .Findings}}{{.Nod}}{{end}}`: "at .Nod: there is no field Nod there, only Vulnerability",
		`{{.Title.First}}`:                   "at .Title.First: there is no field First there",
		`{{(index .Findings 7).Package}}`:    "there may be fewer: ask first",
		`{{slice .Rule 0 50}}`:               "the text may be shorter: cut it by short",
		"{{.Title\n\n":                       "line 3: unclosed action that began in line 1",
		`{{call .Title}}`:                    "the function call is not for these templates",
		`{{(html .Title).X}}`:                "the function html is not for these templates",
		`{{if (js .Title)}}x{{end}}`:         "the function js is not for these templates",
		`{{range .Findings}}{{with urlquery .Package}}{{.}}{{end}}{{end}}`: "the function urlquery is not for these templates",
		`{{define "x"}}{{end}}x`: "defines a template",
		`{{block "x" .}}{{end}}`: "defines a template",
		`{{template "text" .}}`:  "calls a template",
		`{{range .Findings}}{{range .Fixed}}{{range $.Facts}}x{{end}}{{end}}{{end}}`:   "more than 2 ranges",
		`{{range .Findings}}{{else}}{{range .Facts}}{{range .X}}{{end}}{{end}}{{end}}`: "more than 2 ranges",
		`{{range 1000000000000}}{{end}}`:                                               "range goes over lists only",
		`{{range .Total}}{{end}}`:                                                      "range goes over lists only",
		`{{range $i, $n := len .Findings}}{{end}}`:                                     "range goes over lists only",
		`{{_list .Findings}}`:                                                          "not for these templates",
		doubled:                                                                        "makes more than 32 KB",
		`{{printf "%100000d" 1}}`:                                                      "makes more than 32 KB",
		`{{printf "` + strings.Repeat("%[1]1000000d", 50) + `" 1}}`:                    "makes more than 32 KB",
		`{{print` + strings.Repeat(" .", 30) + `}}`:                                    "more than 20 values",
		`{{range .Findings}}{{range $.Findings}}{{printf "%9000d" 1}}{{end}}{{end}}`:   "makes more than 32 KB",
		strings.Repeat("x", 33<<10):                                                    "makes more than 32 KB",
	} {
		got, err := notify.Words(text, told())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s\nmakes %.100q, %v; want an error with %q", text, got, err, want)
		}
	}
}

// A template of a rule is tried when it is saved, on each type of event that it reads.
func TestTemplateIsTried(t *testing.T) {
	for name, c := range map[string]struct {
		types []string
		text  string
		field string
	}{
		"of findings":           {[]string{"occurrence.opened"}, `{{(index .Findings 0).Package}} {{(index .Findings 0).Node.Labels.team}}`, ""},
		"of events":             {[]string{"scan.failed"}, `{{.Data.reason}}`, ""},
		"first of none":         {[]string{"occurrence.opened", "scan.failed"}, `{{(index .Findings 0).Package}}`, "text"},
		"first of some":         {[]string{"occurrence.opened", "scan.failed"}, `{{with .Findings}}{{(index . 0).Package}}{{end}}`, ""},
		"misspelt":              {[]string{"scan.failed"}, `{{.Sevrity}}`, "text"},
		"misspelt in a finding": {[]string{"*"}, `{{range .Findings}}{{.Vulnerabillity}}{{end}}`, "text"},
	} {
		d := of(c.types)
		d.Text = c.text
		err := d.Check()
		if c.field == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.field != "" {
			wantProblem(t, err, 422, c.field)
		}
	}
}

// The words of a rule, such as its field text may hold.
func Example_template() {
	text := `{{.Total}} findings on {{.Nodes}} node(s):
{{range first 10 .Findings}}- {{.Vulnerability}} ({{.Severity | upper}}) in {{.Package}} of team {{.Node.Labels.team}}{{with .Fixed}}, fixed in {{join " or " .}}{{end}}
{{end}}`
	said, err := notify.Words(text, told())
	fmt.Println(said, err)
	// Output:
	// 2 findings on 1 node(s):
	// - CVE-2026-1 (CRITICAL) in openssl of team web, fixed in 3.0.15 or 3.1.7
	// - CVE-2026-2 (LOW) in bash of team <nil>
}
