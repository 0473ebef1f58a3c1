package notify

import (
	"context"
	"embed"
	"strings"
	"sync"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/outgoing"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "notify", Files: files}

// Keeper seals secrets for the database.
type Keeper interface {
	Seal(plain []byte) (string, error)
	Reveal(sealed string) ([]byte, error)
	// Stale tells whether something was sealed by a key that is to be replaced.
	Stale(sealed string) bool
	// Rotate makes a new key, which seals from then on; Forget drops the old ones, by
	// which nothing may be sealed any more.
	Rotate() error
	Forget() error
}

// Options are what a console has to say of notifications.
type Options struct {
	Kinds  []Kind
	Guard  *outgoing.Guard
	Keeper Keeper
	// PublicURL is where people reach the console; "" if it does not know.
	PublicURL string
	// Team returns the selector of a team by its name; db.ErrNotFound if there is none.
	Team func(ctx context.Context, q db.Querier, name string) (string, error)
}

// Service keeps integrations and rules, reads the event log, and delivers.
type Service struct {
	db        *db.DB
	findings  Findings
	nodes     Nodes
	signals   *lease.Signals
	now       func() time.Time
	options   Options
	kinds     map[string]Kind
	publicURL string
	patience  time.Duration // with the far side

	sealing sync.RWMutex // held while secrets are on their way to the database

	mu    sync.Mutex
	lanes map[string]*lane // by integration
}

// patience is how long the far side may take for one notification.
const patience = 30 * time.Second

// NewService returns the room over a migrated database.
func NewService(d *db.DB, findings Findings, nodes Nodes, signals *lease.Signals, o Options, now func() time.Time) *Service {
	s := &Service{
		db: d, findings: findings, nodes: nodes, signals: signals, now: now, options: o, kinds: make(map[string]Kind),
		publicURL: strings.TrimRight(o.PublicURL, "/"), patience: patience, lanes: make(map[string]*lane),
	}
	for _, k := range o.Kinds {
		s.kinds[k.Name] = k
	}
	return s
}

// deliveryTopic is the signal that there is something to send.
const deliveryTopic = "delivery"
