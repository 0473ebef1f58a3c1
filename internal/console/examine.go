package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patrol/internal/feed"
	"patrol/internal/operations"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

// Examine looks at what a console keeps, which may be running or not, and changes
// nothing of it.
func Examine(ctx context.Context, o Options) (d operations.Diagnosis, err error) {
	if o.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(o.DataDir, "patrol.db")); err != nil {
			return d, fmt.Errorf("%w; --data-dir names the directory of a console, and --console with --token asks a running one", err)
		}
	}
	database, err := openDatabase(ctx, o)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	store, err := feed.Open(filepath.Join(o.DataDir, "feed"))
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	f := feed.NewService(store, database, feed.Settings{}, time.Now)
	events := event.NewLog(database, lease.NewSignals(), time.Now)
	return operations.NewService(database, events, f, operations.Options{DataDir: o.DataDir, FeedURL: o.FeedURL}, time.Now).Examine(ctx), nil
}
