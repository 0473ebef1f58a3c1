// Package access says who is asking and what they may do. It is words only; how
// a caller proves who it is stands in package auth.
package access

import "context"

// Role is what a caller may do. Each role includes the one before it.
type Role string

// The roles of people and their tokens.
const (
	Public   Role = "public"   // anybody, without a token
	Viewer   Role = "viewer"   // sees everything, changes nothing
	Operator Role = "operator" // starts scans, edits schedules
	Admin    Role = "admin"    // people, tokens, settings
)

var rank = map[Role]int{Public: 0, Viewer: 1, Operator: 2, Admin: 3}

// Includes tells whether a caller of this role may do what needs the other.
func (r Role) Includes(needed Role) bool {
	have, known := rank[r]
	need, ok := rank[needed]
	return known && ok && have >= need
}

// Principal is a caller that has been identified.
type Principal struct {
	// Kind is "user", or the kind of token: "api", "ci", "enrolment", "agent".
	Kind string
	ID   string
	Name string
	Role Role
	// Node is the node that an agent's credential is bound to.
	Node string
	// Scope is a selector of the nodes that the caller sees; "" for all.
	Scope string
	// Session is the id of the credential in use, so that it can be ended.
	Session string
}

type key struct{}

// With returns a context that carries the principal.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// From returns the principal of a request; the zero one, with no role, if there
// is none.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(key{}).(Principal)
	return p
}

// Changed is the signal that what somebody may do has changed.
const Changed = "access"
