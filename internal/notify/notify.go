// Package notify tells people and other systems what happened.
//
// A rule reads the event log by a cursor of its own and picks what matters; what it
// says of one matter is a notification, and for each integration of the rule there is
// a delivery: a leased row that is sent until the far side has it, or given up where
// people see it. A rule's cursor moves in the transaction that writes its deliveries,
// so nothing is lost and nothing said twice. The kinds of integration stand in folders
// of their own and know none of this: they bring a notification into the form that is
// usual there.
package notify
