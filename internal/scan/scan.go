// Package scan carries one collection and match on one node from queued to
// complete.
//
//	queued ──▶ collecting ──▶ matching ──▶ complete
//	   └───────────┴────────────┴──────▶ failed, cancelled
//
// The agent does the first step: a scan is queued together with a command that
// the node's agent leases. The console does the second: it leases the scan itself
// while it matches. A killed agent or console loses its lease, and whoever comes
// next does the step again; finishing it is fenced, so it counts once.
package scan

import (
	"context"
	"embed"
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "scan", Files: files}

// The states of a scan.
const (
	Queued     = "queued"
	Collecting = "collecting"
	Matching   = "matching"
	Complete   = "complete"
	Failed     = "failed"
	Cancelled  = "cancelled"
)

// What starts a scan.
const (
	OnDemand   = "on_demand"
	BySchedule = "schedule"
	ByUpload   = "upload"  // an SBOM came without an agent
	OnArrival  = "arrival" // the node came, or came back
	OnChange   = "change"  // its package databases changed
)

// attempts is how often an agent, or the console, may begin a step before the
// scan fails for good.
const attempts = 5

// Scan is one collection and match on one node.
type Scan struct {
	ID      string         `json:"id"`
	Node    fleet.NodeName `json:"node"`
	State   string         `json:"state" enum:"queued,collecting,matching,complete,failed,cancelled"`
	Trigger string         `json:"trigger" enum:"schedule,on_demand,upload,arrival,change"`
	// Schedule is what fired the scan, if a schedule did.
	Schedule   *Named            `json:"schedule,omitempty"`
	Run        string            `json:"run_id,omitempty"`
	Attempt    int               `json:"attempt" doc:"Counts the scans of this node by one run, or after one arrival or change: a further one follows one that failed."`
	QueuedAt   time.Time         `json:"queued_at"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	Error      string            `json:"error"`
	Warnings   []collect.Warning `json:"warnings"`
	// DocumentDigest and InventoryDigest are empty until the node was collected.
	DocumentDigest  string `json:"document_digest"`
	InventoryDigest string `json:"inventory_digest"`
	Components      int    `json:"components"`
	// Feed is the revision that was matched against.
	Feed *Feed `json:"feed,omitempty"`
	// Engine is the version of the matching rules.
	Engine string `json:"engine"`
	// Counts are what was found, by severity: each vulnerability once in each
	// package, however many components the package has.
	Counts   fleet.Counts `json:"counts"`
	Opened   int          `json:"opened"`
	Resolved int          `json:"resolved"`
	// Unchanged is how much was open on the node before, a re-match counted in, and
	// still is.
	Unchanged int `json:"unchanged"`
	// NotAssessed are ecosystems that the counts say nothing, or not everything,
	// about.
	NotAssessed []match.NotAssessed `json:"not_assessed"`
	// Unread are components that could not be compared.
	Unread []finding.Unread `json:"unread"`
}

// Named is a thing by its id and name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Feed names what was known to a scan.
type Feed struct {
	Revision string `json:"revision"`
	Sample   bool   `json:"sample" doc:"True if only the built-in sample was there to match against."`
}

// Fleet is what scans need of the fleet.
type Fleet interface {
	Lookup(ctx context.Context, digest string) (fleet.SBOM, bool, error)
	Installed(ctx context.Context, tx *db.Tx, node string, b fleet.SBOM, unseen ...sbom.Key) error
	Document(ctx context.Context, digest string) (*sbom.Document, error)
	Scope(ctx context.Context) (fleet.Scope, error)
	Uploaded(ctx context.Context, tx *db.Tx, u fleet.Upload, digest string) (node string, err error)
	Put(ctx context.Context, digest string, encoded []byte) error
}

// Findings is what scans need of findings.
type Findings interface {
	Match(ctx context.Context, inventory int64, ecosystems []string, rev finding.Revision) (result int64, err error)
	List(ctx context.Context, q finding.Query, p rest.Paging) (rest.Page[finding.Finding], error)
	Apply(ctx context.Context, tx *db.Tx, node, scan string, before, after finding.State, unseen []sbom.Key) (opened, resolved int64, err error)
	Deployed(ctx context.Context, occurrences []int64) (map[int64]time.Time, error)
}

// Knowledge is what scans need of the feed.
type Knowledge interface {
	// For returns the revision to match these ecosystems against.
	For(ctx context.Context, ecosystems []string) (*feed.Revision, error)
}

// Service starts scans and carries them on.
type Service struct {
	db        *db.DB
	fleet     Fleet
	findings  Findings
	knowledge Knowledge
	signals   *lease.Signals
	now       func() time.Time
	reading   chan struct{} // holds a token for each uploaded SBOM that is read
	automatic func(context.Context, db.Querier) (Automatic, error)
	arrivals  pace
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, f Fleet, findings Findings, k Knowledge, signals *lease.Signals, now func() time.Time) *Service {
	nothing := func(context.Context, db.Querier) (Automatic, error) { return Automatic{}, nil }
	return &Service{
		db: d, fleet: f, findings: findings, knowledge: k, signals: signals, now: now, reading: make(chan struct{}, uploads), automatic: nothing,
	}
}

// soon is how long a step of a scan is put off at most, when it failed.
const soon = 10 * time.Minute

var (
	commands = lease.Table{Name: "command", Open: "open", Within: soon}
	matches  = lease.Table{Name: "scan", Open: Matching, Within: soon}
)

// matchTopic is the signal that a scan waits to be matched.
const matchTopic = "scan/match"
