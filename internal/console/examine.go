package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"patrol/internal/feed"
	"patrol/internal/notify"
	"patrol/internal/operations"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/secret"
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
	keeper, err := secret.Read(filepath.Join(o.DataDir, operations.SecretsKey), o.SecretsKey)
	if err != nil {
		return d, err
	}
	integrations := notify.NewService(database, nil, nil, lease.NewSignals(), notify.Options{Keeper: keeper}, time.Now)
	unopened := func(ctx context.Context) ([]string, error) { return told(integrations.CheckSecrets(ctx)) }
	events := event.NewLog(database, lease.NewSignals(), time.Now)
	return operations.NewService(database, events, f, operations.Options{DataDir: o.DataDir, FeedURL: o.FeedURL, Unopened: unopened}, time.Now).Examine(ctx), nil
}
