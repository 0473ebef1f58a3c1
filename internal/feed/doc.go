// Package feed holds what is known: OSV records, compiled into one immutable
// file per revision.
//
// A feed is published as OSV publishes its own: a directory or a web site with
// <ECOSYSTEM>/all.zip, one JSON record an entry. Each such archive is a source
// with its own `as of`. [Store.Update] reads the sources, keeps of each record
// what matching and people need, and writes an index that is mapped into memory
// and never changed again: a [Revision]. Its id is a hash of its content, so
// the same records give the same id on every machine, in whatever order or
// packaging they came, and a result that names a revision can be repeated.
//
// A revision is replaced only by a whole, verified and not older one, in one
// rename. Where nothing was ever installed, a small sample that is part of the
// program stands in, and says so.
package feed
