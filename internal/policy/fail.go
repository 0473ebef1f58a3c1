package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// Failure is the error of a scan that went well and found what the policy
// forbids. The program ends with 2 where any other error ends it with 1.
type Failure struct{ Reasons []string }

func (f *Failure) Error() string { return "the policy says fail: " + strings.Join(f.Reasons, "; ") }

// severities are all, worst first.
var severities = []string{"malicious", "critical", "high", "medium", "low", "unknown"}

// FailOn fails on findings of a severity and of worse ones. Unknown is the lowest:
// it fails on any finding.
type FailOn struct{ severity string }

// ParseFailOn reads a severity.
func ParseFailOn(severity string) (*FailOn, error) {
	if !slices.Contains(severities, severity) {
		return nil, fmt.Errorf("%q is none of %s", severity, strings.Join(severities, ", "))
	}
	return &FailOn{severity}, nil
}

// Judge returns why the findings fail; "" if they do not.
func (f *FailOn) Judge(findings []Finding) string {
	limit := slices.Index(severities, f.severity)
	bad := 0
	for _, found := range findings {
		if rank := slices.Index(severities, found.Severity); rank >= 0 && rank <= limit {
			bad++
		}
	}
	if bad == 0 {
		return ""
	}
	return fmt.Sprintf("--fail-on %s: %d of %d findings are that severe", f.severity, bad, len(findings))
}

// FailWhen is a CEL expression over `findings` and `counts` that is true for what
// must not be.
type FailWhen struct {
	text    string
	program cel.Program
	fields  map[string]bool
}

// failCostLimit ends an expression after a few seconds: one that compares every
// finding of a large image with every other.
const failCostLimit = 5_000_000

// CompileFailWhen checks an expression. The error says where it is wrong.
func CompileFailWhen(expression string) (*FailWhen, error) {
	numbers := cel.ListType(cel.DoubleType)
	integers := cel.ListType(cel.IntType)
	env, err := cel.NewEnv(
		cel.Variable("findings", cel.ListType(cel.ObjectType("policy.Finding"))),
		cel.Variable("counts", cel.ObjectType("policy.Counts")),
		ext.NativeTypes(reflect.TypeFor[Finding](), reflect.TypeFor[Counts](), ext.ParseStructTags(true)),
		ext.Strings(),
		cel.CrossTypeNumericComparisons(true), // score > 9 is as good as score > 9.0
		cel.Function("sum",
			cel.Overload("sum_double", []*cel.Type{numbers}, cel.DoubleType, cel.UnaryBinding(sumOf(types.Double(0)))),
			cel.Overload("sum_int", []*cel.Type{integers}, cel.IntType, cel.UnaryBinding(sumOf(types.Int(0)))),
		),
	)
	if err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is %s; a policy is true for what must not be, or false", ast.OutputType())
	}
	program, err := env.Program(ast, cel.CostLimit(failCostLimit))
	if err != nil {
		return nil, err
	}
	f := &FailWhen{expression, program, make(map[string]bool)}
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() == celast.SelectKind {
			f.fields[e.AsSelect().FieldName()] = true
		}
	}))
	return f, nil
}

// sumOf adds the elements of a list to zero, which is the sum of none.
func sumOf(zero traits.Adder) func(ref.Val) ref.Val {
	return func(list ref.Val) ref.Val {
		items, ok := list.(traits.Lister)
		if !ok {
			return types.MaybeNoSuchOverloadErr(list)
		}
		total := zero
		for it := items.Iterator(); it.HasNext() == types.True; {
			next, ok := total.Add(it.Next()).(traits.Adder)
			if !ok {
				return types.NewErr("sum: an element is no number, or the sum is too large")
			}
			total = next
		}
		sum, ok := total.(ref.Val)
		if !ok {
			return types.NewErr("sum: no value")
		}
		return sum
	}
}

// Verdict is what an expression says.
type Verdict struct {
	Fails bool
	// Unknown are the fields that the expression asks for and that no source has
	// told of some finding: "kev", "epss". It was judged as if they were false and 0.
	Unknown []string
}

// Judge evaluates the expression.
func (f *FailWhen) Judge(findings []Finding, counts Counts) (Verdict, error) {
	if findings == nil {
		findings = []Finding{}
	}
	out, _, err := f.program.Eval(map[string]any{"findings": findings, "counts": counts})
	if err != nil {
		return Verdict{}, fmt.Errorf("--fail-when %s: %w", f.text, err)
	}
	fails, ok := out.Value().(bool)
	if !ok {
		return Verdict{}, fmt.Errorf("--fail-when %s: %w", f.text, errors.New("it gave neither true nor false"))
	}
	v := Verdict{Fails: fails}
	if f.fields["kev"] && slices.ContainsFunc(findings, func(f Finding) bool { return !f.KEVKnown }) {
		v.Unknown = append(v.Unknown, "kev")
	}
	if f.fields["epss"] && slices.ContainsFunc(findings, func(f Finding) bool { return !f.EPSSKnown }) {
		v.Unknown = append(v.Unknown, "epss")
	}
	return v, nil
}

// Reason says that the expression failed.
func (f *FailWhen) Reason() string { return "--fail-when " + f.text }
