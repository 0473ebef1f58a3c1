package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode"
	"unicode/utf8"

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

// budget is what one execution of a template may take: what it goes over and calls, and
// the bytes of texts that it makes and throws away.
type budget struct{ steps, bytes int }

func newBudget() *budget { return &budget{5_000, 1 << 20} }

func (b *budget) spend(steps, bytes int) error {
	b.steps, b.bytes = b.steps-steps, b.bytes-bytes
	if b.steps < 0 || b.bytes < 0 {
		return errLaborious
	}
	return nil
}

// made spends what a text took.
func (b *budget) made(text string) (string, error) {
	if len(text) > wordsLimit {
		return "", errWordy
	}
	return text, b.spend(1, len(text))
}

// functions are those of templates beside the comparing ones of Go. What they make is
// bounded, for each may be given what another made.
func (b *budget) functions() template.FuncMap {
	return template.FuncMap{
		"upper":   func(s string) (string, error) { return b.made(strings.ToUpper(s)) },
		"lower":   func(s string) (string, error) { return b.made(strings.ToLower(s)) },
		"title":   func(s string) (string, error) { return b.made(capitalize(s)) },
		"join":    func(sep string, list []string) (string, error) { return b.made(strings.Join(list, sep)) },
		"first":   func(n int, list []Finding) []Finding { return list[:min(max(n, 0), len(list))] },
		"short":   func(n int, s string) (string, error) { return b.made(shorten(s, n)) },
		"print":   func(args ...any) (string, error) { return b.printed(fmt.Sprint, args) },
		"println": func(args ...any) (string, error) { return b.printed(fmt.Sprintln, args) },
		"printf": func(format string, args ...any) (string, error) {
			if strings.Count(format, "%") > 2*mostPrinted {
				return "", errWordy
			}
			return b.printed(func(args ...any) string { return fmt.Sprintf(format, args...) }, args)
		},
		listing: b.list,
	}
}

// mostPrinted is how many values are printed at once.
const mostPrinted = 20

func (b *budget) printed(print func(...any) string, args []any) (string, error) {
	if len(args) > mostPrinted {
		return "", fmt.Errorf("more than %d values are printed at once", mostPrinted)
	}
	return b.made(print(args...))
}

func capitalize(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// listing is put at the end of what each range goes over: a number would have it go on
// for as long as that says.
const listing = "_list"

func (b *budget) list(list any) (any, error) {
	switch value := reflect.ValueOf(list); value.Kind() {
	case reflect.Invalid:
		return list, nil
	case reflect.Slice, reflect.Map:
		return list, b.spend(value.Len(), 0)
	}
	return nil, errors.New("range goes over lists only")
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
	t, err := template.New(field).Option("missingkey=zero").Funcs(newBudget().functions()).Parse(text)
	if err != nil {
		return nil, problem.Invalid(field, "%s", mistake(err))
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
		err := safeBranch(&n.BranchNode, depth)
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{parse.NewIdentifier(listing).SetPos(n.Pos)}})
		return err
	case *parse.IfNode:
		return safeBranch(&n.BranchNode, depth)
	case *parse.WithNode:
		return safeBranch(&n.BranchNode, depth)
	case *parse.ActionNode:
		return safe(n.Pipe, depth)
	case *parse.ChainNode:
		return safe(n.Node, depth)
	case *parse.PipeNode:
		for _, command := range n.Cmds {
			for _, arg := range command.Args {
				if err := safe(arg, depth); err != nil {
					return err
				}
			}
		}
	case *parse.IdentifierNode:
		if refusedFunctions[n.Ident] || n.Ident == listing {
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

// errLaborious is that of a template that would keep all rules waiting.
var errLaborious = errors.New("goes over too much, or makes too much on the way")

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
	own, err := w.template.Clone()
	if err == nil {
		err = own.Funcs(newBudget().functions()).Execute(&out, said)
	}
	for _, limit := range []error{errWordy, errLaborious} {
		if errors.Is(err, limit) {
			return "", limit
		}
	}
	if err != nil {
		return "", errors.New(mistake(err))
	}
	// A label, or a member of the data, that is not there is empty.
	return strings.TrimSpace(strings.ReplaceAll(out.String(), "<no value>", "")), nil
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
