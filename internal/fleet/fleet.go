// Package fleet keeps what there is to scan: nodes, what their agents say of
// them, and what is installed on each.
//
// A node is known by a random id that its agent's credential is bound to. Host
// names and machine ids are attributes: they repeat, and they lie.
package fleet

import (
	"embed"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"patrol/internal/match"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/policy"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "fleet", Files: files}

// The kinds of node.
const (
	Host      = "host"
	Container = wire.ContainerKind
	Image     = wire.ImageKind
)

// The states of a node.
const (
	Active   = "active"
	Inactive = "inactive" // has missed its heartbeats; or is a container that ended
	Retired  = "retired"  // has been gone for long, or a person said so
)

// HeartbeatInterval is how often an agent reports; after three without one its
// node is inactive.
const HeartbeatInterval = 30 * time.Second

// Node is anything that can be scanned.
type Node struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"host,container,image,cluster"`
	Name  string `json:"name"`
	State string `json:"state" enum:"active,inactive,retired"`
	// Host is where a container runs, or an image is kept.
	Host *NodeName `json:"host,omitempty"`
	// Image is what a container was made of, or the image that the node is.
	Image *wire.Image `json:"image,omitempty"`
	// Runtimes are what runs containers on a host.
	Runtimes     []wire.Runtime    `json:"runtimes"`
	MachineID    string            `json:"machine_id"`
	Distribution sbom.Distribution `json:"distribution"`
	Architecture string            `json:"architecture"`
	Kernel       string            `json:"kernel"`
	AgentVersion string            `json:"agent_version"`
	Labels       map[string]string `json:"labels"`
	// LabelOrigins tells what each label comes from.
	LabelOrigins map[string]string `json:"label_origins" doc:"What each label comes from: hand, agent, kubernetes or cloud. The first of these wins."`
	Cloud        *wire.Cloud       `json:"cloud,omitempty"`
	Uploaded     bool              `json:"uploaded" doc:"True for an SBOM that was uploaded: there is no agent."`
	FirstSeen    time.Time         `json:"first_seen"`
	LastSeen     time.Time         `json:"last_seen"`
	RetiredAt    time.Time         `json:"retired_at,omitzero"`
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
	lines   *lines
	streams atomic.Int64 // that are not lines
	now     func() time.Time

	mu         sync.Mutex
	scopes     map[string]Scope // selector → the nodes that it meant lately
	lifecycle  Lifecycle
	packer     *zstd.Encoder // of documents
	beats      beats
	components cache
	selectors  policy.Selectors
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, a *auth.Service, signals *lease.Signals, now func() time.Time) *Service {
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // these options are wrong on no machine or on all
	}
	return &Service{db: d, auth: a, signals: signals, now: now, scopes: make(map[string]Scope), lifecycle: Lifecycle{Retention: DefaultRetention}, packer: packer, beats: beats{pause: gathering}, lines: newLines()}
}

// CommandTopic is the signal that the agent of a node has something to claim.
func CommandTopic(node string) string { return "command/" + node }
