package console

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"patrol/internal/operations"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// A backup that is made while everybody writes is the database at one instant:
// what was committed together is there together.
func TestBackupUnderLoad(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	h.install()
	agent := h.token(auth.Agent)
	stop, written := make(chan struct{}), make(chan int)
	begun := make(chan struct{})
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
			}
			err := h.db.Write(t.Context(), func(tx *db.Tx) error {
				for _, half := range []string{"first", "second"} {
					if err := event.Append(t.Context(), tx, noon, "pair."+half, "x", strings.Repeat("y", 500)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if n == 50 {
				close(begun)
			}
		}
	}()
	<-begun
	file := filepath.Join(t.TempDir(), "patrol.backup")
	made, err := operations.Backup(t.Context(), h.options.DataDir, file, "test", noon)
	close(stop)
	total := <-written
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup, which holds secrets, has the mode %v (%v)", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("the backup left %q", left)
	}

	dir := filepath.Join(t.TempDir(), "new")
	restored, err := operations.Restore(t.Context(), file, dir)
	if err != nil || len(restored.Files) != len(made.Files) {
		t.Fatalf("restored %+v, %v", restored, err)
	}
	again := openHouseIn(t, dir, publish(t))
	count := func(h house, query string) int { return dbtest.Count(t, h.db.Read(), query) }
	first, second := count(again, `SELECT count(*) FROM event WHERE type = 'pair.first'`), count(again, `SELECT count(*) FROM event WHERE type = 'pair.second'`)
	if first != second || first < 50 || first > total {
		t.Errorf("the backup has %d and %d halves of %d pairs", first, second, total)
	}
	for _, table := range []string{"node", "component", "credential", "schedule", "account", "schema_migration"} {
		if have, want := count(again, `SELECT count(*) FROM `+table), count(h, `SELECT count(*) FROM `+table); have != want {
			t.Errorf("%s has %d rows; it had %d", table, have, want)
		}
	}
	// Agents go on, the feed is there, and no number of an event comes twice.
	if got := again.ask("POST", "/wire/v1/heartbeat", agent, `{"protocol":1,"name":"web-1"}`); got.StatusCode != 200 {
		t.Errorf("an agent's heartbeat answers %d: %s", got.StatusCode, got.body)
	}
	was, err := h.store.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if is, err := again.store.Current(t.Context()); err != nil || is.ID() != was.ID() {
		t.Errorf("the feed is another one: %v", err)
	}
	newest, err := h.events.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Write(t, again.db, func(tx *db.Tx) error { return event.Append(t.Context(), tx, noon, "after", "", nil) })
	if last, err := again.events.Position(t.Context()); err != nil || last <= newest {
		t.Errorf("the event after the restore has the number %d (%v); %d was given before", last, err, newest)
	}
	if _, err := operations.Restore(t.Context(), file, dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restoring over a console: %v", err)
	}
	if _, err := operations.Backup(t.Context(), dir, file, "test", noon); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a backup over a backup: %v", err)
	}
}

func TestRestoreRefusesWhatIsDamaged(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	file := filepath.Join(t.TempDir(), "patrol.backup")
	if _, err := operations.Backup(t.Context(), h.options.DataDir, file, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, content := range map[string][]byte{
		"cut":            whole[:len(whole)/2],
		"flipped":        flipped,
		"empty":          {},
		"other":          []byte("PK\x03\x04 something else"),
		"no manifest":    archive(t, nil, "patrol.db", "x"),
		"another digest": archive(t, []operations.Entry{{Path: "patrol.db", Size: 1, SHA256: "00"}}, "patrol.db", "x"),
		"outside":        archive(t, []operations.Entry{{Path: "patrol.db", Size: 1}, {Path: "feed/../../x", Size: 1}}, "patrol.db", "x"),
		"another file":   archive(t, []operations.Entry{{Path: "patrol.db", Size: 1}}, "feed/current", "x"),
		"no data file":   archive(t, []operations.Entry{{Path: "etc/passwd", Size: 1}, {Path: "patrol.db"}}, "etc/passwd", "x"),
	} {
		broken := filepath.Join(t.TempDir(), "broken")
		if err := os.WriteFile(broken, content, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if _, err := operations.Restore(t.Context(), broken, dir); err == nil {
			t.Errorf("%s: restored", name)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// archive is a backup by somebody else, with one file.
func archive(t *testing.T, entries []operations.Entry, name, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	packed, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(packed)
	add := func(name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if entries != nil {
		manifest, err := json.Marshal(operations.Manifest{Format: 1, Files: entries})
		if err != nil {
			t.Fatal(err)
		}
		add("manifest.json", manifest)
	}
	add(name, []byte(content))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
