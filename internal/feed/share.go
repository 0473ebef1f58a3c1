package feed

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/logs"
)

// Consoles that share a database share what they have compiled: one brings the
// feed up to date while the others wait, and hands on a bundle of what it has
// installed; the others install that. The database says which bundle it is, and
// when a source was last asked, so that several consoles ask no more often than one.

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "feed", Files: files}

// Shared is where bundles stand.
type Shared interface {
	Put(ctx context.Context, key string, from io.Reader) error
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	Delete(ctx context.Context, key string) error
}

// sharing is the topic that wakes consoles to install what another one has.
const sharing = "feed"

// lookEvery is how often a console looks for itself whether there is a bundle.
const lookEvery = 30 * time.Second

// handed is the row that tells of the last bundle; zero before the first.
type handed struct {
	bundle, before         string
	revision, intelligence string
	osvChecked             time.Time
	osvError               string // why that was in vain; empty if it was not
	intelligenceChecked    time.Time
}

func (s *Service) handed(ctx context.Context) (h handed, err error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT bundle, bundle_before, revision, intelligence, osv_checked_at, osv_error, intelligence_checked_at FROM feed_shared WHERE id = 1`)
	_, err = db.One(row, func(scan db.Scan) (struct{}, error) {
		return struct{}{}, scan(&h.bundle, &h.before, &h.revision, &h.intelligence, db.Time{Time: &h.osvChecked}, &h.osvError, db.Time{Time: &h.intelligenceChecked})
	})
	if errors.Is(err, db.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return h, fmt.Errorf("what feed the other consoles have: %w", err)
	}
	return h, nil
}

// alone runs an update while no other console runs one, from what they have
// installed by then, and hands on what it installed. The update tells in h what it
// has asked of its sources.
func (s *Service) alone(ctx context.Context, update func(h *handed) error) error {
	if s.settings.Shared == nil {
		return update(&handed{})
	}
	return s.db.Alone(ctx, db.Feed, func() error {
		h, err := s.receive(ctx)
		if err != nil {
			return err
		}
		return errors.Join(update(&h), s.handOn(ctx, h))
	})
}

// receive installs what another console has handed on, unless it is installed.
func (s *Service) receive(ctx context.Context) (handed, error) {
	h, err := s.handed(ctx)
	if err != nil || h.bundle == "" {
		return h, err
	}
	revision, intelligence, err := s.installed(ctx)
	if err != nil || revision == h.revision && intelligence == h.intelligence {
		return h, err
	}
	if err := s.install(ctx, h.bundle); err != nil {
		return h, fmt.Errorf("install the feed of another console: %w", err)
	}
	slog.InfoContext(ctx, "feed of another console installed", "revision", h.revision, "intelligence", h.intelligence)
	return h, nil
}

// install fetches a bundle and installs it. The bundle that the database names is
// the newest, whatever this console has installed meanwhile.
func (s *Service) install(ctx context.Context, key string) error {
	from, err := s.settings.Shared.Get(ctx, key)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.CreateTemp(s.store.dir, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(to.Name())
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	_, err = s.store.Import(ctx, to.Name(), ImportOptions{AllowOlder: true})
	return err
}

// handOn tells the other consoles what is installed here.
func (s *Service) handOn(ctx context.Context, h handed) error {
	revision, intelligence, err := s.installed(ctx)
	if err != nil {
		return err
	}
	var outdated string
	if revision != "" && (revision != h.revision || intelligence != h.intelligence) {
		outdated = h.before
		h.before, h.bundle = h.bundle, "feed/"+db.NewID()
		h.revision, h.intelligence = revision, intelligence
		if err := s.export(ctx, h.bundle); err != nil {
			return fmt.Errorf("hand the feed on to other consoles: %w", err)
		}
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO feed_shared (id, bundle, bundle_before, revision, intelligence, osv_checked_at, osv_error, intelligence_checked_at)
			VALUES (1, $1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (id) DO UPDATE SET bundle = excluded.bundle, bundle_before = excluded.bundle_before, revision = excluded.revision,
				intelligence = excluded.intelligence, osv_checked_at = excluded.osv_checked_at, osv_error = excluded.osv_error,
				intelligence_checked_at = excluded.intelligence_checked_at`,
			h.bundle, h.before, h.revision, h.intelligence, micros(h.osvChecked), h.osvError, micros(h.intelligenceChecked))
		tx.AfterCommit(func() { s.settings.Signals.Wake(sharing) })
		return err
	})
	if err != nil || outdated == "" {
		return err
	}
	return s.settings.Shared.Delete(ctx, outdated) // nobody needs two generations back
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (s *Service) export(ctx context.Context, key string) error {
	file, err := os.CreateTemp(s.store.dir, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := s.store.Export(ctx, file.Name()); err != nil {
		return err
	}
	bundle, err := os.Open(file.Name()) // which Export has replaced
	if err != nil {
		return err
	}
	defer bundle.Close()
	return s.settings.Shared.Put(ctx, key, bundle)
}

// installed returns the ids of what is installed; "" for the sample and for
// nothing.
func (s *Service) installed(ctx context.Context) (revision, intelligence string, err error) {
	r, err := s.store.Current(ctx)
	if err != nil {
		return "", "", err
	}
	known, err := s.store.Intelligence(ctx)
	if err != nil {
		return "", "", err
	}
	if !r.Sample() {
		revision = r.ID()
	}
	return revision, known.ID(), nil
}

// listen installs what other consoles hand on, until the context ends.
func (s *Service) listen(ctx context.Context) {
	if s.settings.Shared == nil {
		return
	}
	failing := logs.Lasting{What: "feed not taken from another console; it will be tried again"}
	s.settings.Signals.Loop(ctx, sharing, func(ctx context.Context) time.Duration {
		_, err := s.receive(ctx)
		failing.Note(ctx, err)
		s.reassess(ctx)
		return lookEvery
	})
}
