package outgoing

import "net"

// Asking returns a guard that looks up names by a resolver of a test.
func (g *Guard) Asking(r *net.Resolver) *Guard { return &Guard{allow: g.allow, resolver: r} }
