package policy

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"
)

// Event is what a rule of notifications sees as `event`.
type Event struct {
	Type    string    `cel:"type"`
	Subject string    `cel:"subject"`
	Time    time.Time `cel:"time"`
	// Data is the event's, whose numbers are doubles.
	Data map[string]any `cel:"data"`
}

// Occurrence is what a rule sees as the one element of `findings`.
type Occurrence struct {
	Vulnerability string   `cel:"vulnerability"`
	Aliases       []string `cel:"aliases"`
	Severity      string   `cel:"severity"`
	Score         float64  `cel:"score"`
	KEV           bool     `cel:"kev"`
	EPSS          float64  `cel:"epss"`
	Ecosystem     string   `cel:"ecosystem"` // without its release
	Package       string   `cel:"package"`
	Fixable       bool     `cel:"fixable"`
	Fixed         []string `cel:"fixed"`
	// Because is why it was opened or resolved.
	Because  string    `cel:"because"`
	OpenedAt time.Time `cel:"opened_at"`
}

// Rule tells which events matter. An event that is about findings is asked about
// each of them by itself: `findings` holds that one. Of others it is empty. `node` is
// what the event or the finding is about, and without a name where it is about none.
type Rule struct {
	program cel.Program
	uses    map[string]bool
}

// ruleEnv is made once for all: it takes as long as to compile some hundred rules.
var ruleEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("event", cel.ObjectType("policy.Event")),
		cel.Variable("findings", cel.ListType(cel.ObjectType("policy.Occurrence"))),
		cel.Variable("node", cel.ObjectType("policy.Node")),
		ext.NativeTypes(reflect.TypeFor[Event](), reflect.TypeFor[Occurrence](), reflect.TypeFor[Node](), reflect.TypeFor[Distribution](), ext.ParseStructTags(true)),
		ext.Strings(),
		cel.CrossTypeNumericComparisons(true),
	)
})

// CompileRule checks a rule's condition; an empty one always holds. The error says
// where it is wrong.
func CompileRule(expression string) (*Rule, error) {
	if strings.TrimSpace(expression) == "" {
		expression = "true"
	}
	env, err := ruleEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare rules: %w", err)
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is %s; a condition is true or false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, err
	}
	r := &Rule{program, make(map[string]bool)}
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() == celast.IdentKind {
			r.uses[e.AsIdent()] = true
		}
	}))
	return r, nil
}

// AsksNode tells whether the answer may depend on the node.
func (r *Rule) AsksNode() bool { return r.uses["node"] }

// AsksEvent tells whether the answer may depend on the event.
func (r *Rule) AsksEvent() bool { return r.uses["event"] }

// AsksFindings tells whether the answer may depend on the findings.
func (r *Rule) AsksFindings() bool { return r.uses["findings"] }

// Holds tells whether the condition does. A label or a member of the event's data
// that is not there is no mistake: the condition does not hold.
func (r *Rule) Holds(e Event, n Node, findings ...Occurrence) (bool, error) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	if e.Data == nil {
		e.Data = map[string]any{}
	}
	if n.LastScanAt.IsZero() {
		n.LastScanAt = time.Unix(0, 0).UTC()
	}
	out, _, err := r.program.Eval(map[string]any{"event": e, "node": n, "findings": append([]Occurrence{}, findings...)})
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			return false, nil
		}
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("gave %v, not true or false", out)
	}
	return holds, nil
}
