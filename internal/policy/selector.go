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

// Compile checks a selector: a CEL expression over `node` that is true or false.
// The error says where the expression is wrong.
func Compile(expression string) (*Selector, error) {
	env, err := cel.NewEnv(
		cel.Variable("node", cel.ObjectType("policy.Node")),
		ext.NativeTypes(reflect.TypeFor[Node](), reflect.TypeFor[Distribution](), ext.ParseStructTags(true)),
		ext.Strings(),
	)
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
func (s *Selector) Selects(n Node) (bool, error) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	out, _, err := s.program.Eval(map[string]any{"node": n})
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
