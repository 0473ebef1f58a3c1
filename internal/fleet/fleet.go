// Package fleet keeps what there is to scan: nodes, what their agents say of
// them, and what is installed on each.
//
// A node is known by a random id that its agent's credential is bound to. Host
// names and machine ids are attributes: they repeat, and they lie.
package fleet

import (
	"embed"
	"time"

	"patrol/internal/match"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/sbom"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "fleet", Files: files}

// The kinds of node.
const (
	Host      = "host"
	Container = "container"
)

// The states of a node.
const (
	Active   = "active"
	Inactive = "inactive" // has missed its heartbeats
)

// HeartbeatInterval is how often an agent reports; after three without one its
// node is inactive.
const HeartbeatInterval = 30 * time.Second

// Node is anything that can be scanned.
type Node struct {
	ID           string            `json:"id"`
	Kind         string            `json:"kind" enum:"host,container,image,cluster"`
	Name         string            `json:"name"`
	State        string            `json:"state" enum:"active,inactive,retired"`
	MachineID    string            `json:"machine_id"`
	Distribution sbom.Distribution `json:"distribution"`
	Architecture string            `json:"architecture"`
	Kernel       string            `json:"kernel"`
	AgentVersion string            `json:"agent_version"`
	Labels       map[string]string `json:"labels"`
	FirstSeen    time.Time         `json:"first_seen"`
	LastSeen     time.Time         `json:"last_seen"`
	// LastScan is the latest scan of the node, whatever came of it.
	LastScan *LastScan `json:"last_scan,omitempty"`
	// Counts are the node's open occurrences by severity.
	Counts Counts `json:"counts"`
	// Decided are open too, and were decided not to count.
	Decided int `json:"decided"`
	// NotAssessed are the ecosystems on the node that the counts say nothing, or
	// not everything, about.
	NotAssessed []match.NotAssessed `json:"not_assessed"`
}

// NodeName is how other things speak of a node.
type NodeName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// LastScan is what a node's row says of its latest scan.
type LastScan struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// Counts are numbers of occurrences by severity.
type Counts struct {
	Malicious int `json:"malicious"`
	Critical  int `json:"critical"`
	High      int `json:"high"`
	Medium    int `json:"medium"`
	Low       int `json:"low"`
	Unknown   int `json:"unknown"`
}

// Service registers nodes, and keeps what is installed on them.
type Service struct {
	db      *db.DB
	auth    *auth.Service
	signals *lease.Signals
	now     func() time.Time
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, a *auth.Service, signals *lease.Signals, now func() time.Time) *Service {
	return &Service{db: d, auth: a, signals: signals, now: now}
}

// CommandTopic is the signal that the agent of a node has something to claim.
func CommandTopic(node string) string { return "command/" + node }
