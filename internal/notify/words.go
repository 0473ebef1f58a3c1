package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"

	"patrol/internal/platform/problem"
)

// words is the template of a title or a text. It is a safe subset: it sees what the
// notification holds and nothing else, calls only the functions below, and neither
// defines nor calls other templates, so that it ends.
type words struct{ template *template.Template }

// wordsLimit is how many bytes a template may make, deepest how many ranges may
// stand in one another.
const (
	wordsLimit = 32 << 10
	deepest    = 2
)

// functions are those of templates beside the comparing and printing ones of Go.
var functions = template.FuncMap{
	"upper": strings.ToUpper,
	"lower": strings.ToLower,
	"title": func(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] },
	"join":  func(sep string, list []string) string { return strings.Join(list, sep) },
	"first": func(n int, list []Finding) []Finding { return list[:min(max(n, 0), len(list))] },
	"short": func(n int, s string) string { return shorten(s, n) },
}

// refusedFunctions are Go's own that are not for these templates: what they make is
// for other languages, or they call what data holds.
var refusedFunctions = map[string]bool{"call": true, "html": true, "js": true, "urlquery": true}

// parseWords checks a template by making words of an example too, so that a field
// that is misspelt is refused when it is saved. An empty one is nil.
func parseWords(field, text string, examples []Notification) (*words, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	t, err := template.New(field).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, problem.Invalid(field, "%s", plain(err))
	}
	if len(t.Templates()) > 1 {
		return nil, problem.Invalid(field, "defines a template within the template, which is not possible here")
	}
	if err := safe(t.Root, 0); err != nil {
		return nil, problem.Invalid(field, "%s", err)
	}
	w := &words{t}
	for _, example := range examples {
		if _, err := w.of(example); err != nil {
			return nil, problem.Invalid(field, "%s", err)
		}
	}
	return w, nil
}

// plain leaves out the package's name, which means nothing to who writes one.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "template: ") }

// safe walks a template for what is not allowed.
func safe(node parse.Node, depth int) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := safe(child, depth); err != nil {
				return err
			}
		}
	case *parse.RangeNode:
		if depth++; depth > deepest {
			return fmt.Errorf("line %d: more than %d ranges stand in one another", n.Line, deepest)
		}
		return safeBranch(&n.BranchNode, depth)
	case *parse.IfNode:
		return safeBranch(&n.BranchNode, depth)
	case *parse.WithNode:
		return safeBranch(&n.BranchNode, depth)
	case *parse.ActionNode:
		return safe(n.Pipe, depth)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			for _, arg := range command.Args {
				if err := safe(arg, depth); err != nil {
					return err
				}
			}
		}
	case *parse.IdentifierNode:
		if refusedFunctions[n.Ident] {
			return fmt.Errorf("the function %s is not for these templates", n.Ident)
		}
	case *parse.TemplateNode:
		return fmt.Errorf("line %d: calls a template, which is not possible here", n.Line)
	}
	return nil
}

func safeBranch(n *parse.BranchNode, depth int) error {
	return errors.Join(safe(n.Pipe, depth), safe(n.List, depth), safe(n.ElseList, depth))
}

var errWordy = fmt.Errorf("makes more than %d KB", wordsLimit>>10)

// narrow is a writer with an end.
type narrow struct{ bytes.Buffer }

func (n *narrow) Write(p []byte) (int, error) {
	if n.Len()+len(p) > wordsLimit {
		return 0, errWordy
	}
	return n.Buffer.Write(p)
}

// of makes the words for a notification.
func (w *words) of(n Notification) (string, error) {
	var out narrow
	said := struct {
		Notification
		Data map[string]any
	}{n, map[string]any{}}
	if n.Data != nil {
		if err := json.Unmarshal(n.Data, &said.Data); err != nil {
			return "", err
		}
	}
	if err := w.template.Execute(&out, said); err != nil {
		if errors.Is(err, errWordy) {
			return "", errWordy
		}
		return "", errors.New(plain(err))
	}
	return strings.TrimSpace(out.String()), nil
}

// shorten cuts a text to so many characters.
func shorten(s string, n int) string {
	if runes := []rune(s); len(runes) > n && n > 0 {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// examples are notifications as the rule may make them, to try its templates on.
func (c *checked) examples() []Notification {
	found := Finding{Vulnerability: "CVE-2099-0001", Severity: "critical", Package: "openssl", Fixed: []string{"3.0.15"}, Node: Node{Name: "web-1", Labels: map[string]string{}}}
	all := []Notification{{Action: Opened, Type: OccurrenceOpened, Facts: []Fact{{"Nodes", "1"}}, Findings: []Finding{found}, Total: 1, Nodes: 1}}
	for _, t := range types {
		if !t.Findings && c.reads(t.Name) || c.EvenIfEmpty {
			return append(all, Notification{Action: Told, Type: t.Name, Facts: []Fact{}, Findings: []Finding{}})
		}
	}
	return all
}
