// Package policy holds what people write as expressions of the Common Expression
// Language: selectors say which nodes, and are checked against the types below
// when they are saved, not when they are first needed.
//
// It is pure: an expression sees only what it is given, and its cost is limited.
package policy

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"
)

// Node is what a selector sees as `node`.
type Node struct {
	ID           string            `cel:"id"`
	Kind         string            `cel:"kind"`
	Name         string            `cel:"name"`
	State        string            `cel:"state"`
	Labels       map[string]string `cel:"labels"`
	Distribution Distribution      `cel:"distribution"`
	Architecture string            `cel:"architecture"`
	Host         string            `cel:"host"`  // name of what a container runs on
	Image        string            `cel:"image"` // reference
	FirstSeen    time.Time         `cel:"first_seen"`
	LastSeen     time.Time         `cel:"last_seen"`
	// LastScanState is how the last scan that ended did: complete, failed or
	// cancelled; never if none did.
	LastScanState string `cel:"last_scan_state"`
	// LastScanAt is when the last complete scan ended; the beginning of 1970 if none
	// did, so that it is older than whatever one compares it with.
	LastScanAt time.Time `cel:"last_scan_at"`
}

// Run is what a schedule's selector sees as `run`.
type Run struct {
	// Previous is when the schedule fired last; the beginning of 1970 if it never did.
	Previous time.Time `cel:"previous"`
}

// Moment is what a selector sees besides the node.
type Moment struct {
	Now time.Time // `now`
	Run Run
}

// Distribution is what a selector sees as `node.distribution`.
type Distribution struct {
	ID      string `cel:"id"`
	Version string `cel:"version"`
}

// Selector tells which nodes are meant.
type Selector struct{ program cel.Program }

// costLimit ends an expression that would take about a millisecond.
const costLimit = 100_000

// Compile checks a selector: a CEL expression over `node`, and `now`, that is true
// or false. The error says where the expression is wrong.
func Compile(expression string) (*Selector, error) { return compile(expression) }

// CompileForRun checks the selector of a schedule, which may also ask for `run`.
func CompileForRun(expression string) (*Selector, error) {
	return compile(expression, cel.Variable("run", cel.ObjectType("policy.Run")))
}

func compile(expression string, more ...cel.EnvOption) (*Selector, error) {
	env, err := cel.NewEnv(append(more,
		cel.Variable("node", cel.ObjectType("policy.Node")),
		cel.Variable("now", cel.TimestampType),
		ext.NativeTypes(reflect.TypeFor[Node](), reflect.TypeFor[Distribution](), reflect.TypeFor[Run](), ext.ParseStructTags(true)),
		ext.Strings(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("prepare selectors: %w", err)
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is %s; a selector is true or false for each node", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, err
	}
	return &Selector{program}, nil
}

// Selects tells whether the node is meant. A label that the node does not have is
// no mistake: it selects nothing.
func (s *Selector) Selects(n Node, m Moment) (bool, error) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	// What never was lies in 1970: CEL's durations do not reach back to year one.
	for _, moment := range []*time.Time{&n.LastScanAt, &m.Run.Previous} {
		if moment.IsZero() {
			*moment = time.Unix(0, 0).UTC()
		}
	}
	out, _, err := s.program.Eval(map[string]any{"node": n, "now": m.Now, "run": m.Run})
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			return false, nil
		}
		return false, err
	}
	selected, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("gave %v, not true or false", out)
	}
	return selected, nil
}
