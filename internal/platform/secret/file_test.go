package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/platform/secret"
)

// alone wants the key file to be the only one in its directory, and its owner's only.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("there are %v", entries)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
}

// count returns how many keys a file has.
func count(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\nAGE-SECRET-KEY-1")
}

func TestFile(t *testing.T) {
	k, path := keeper(t)
	alone(t, path)
	if n := count(t, path); n != 1 {
		t.Errorf("a new file has %d keys", n)
	}
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	if n := count(t, path); n != 2 {
		t.Errorf("after Rotate there are %d keys", n)
	}
	if err := k.Forget(); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	if n := count(t, path); n != 1 {
		t.Errorf("after Forget there are %d keys", n)
	}
}

func TestFileMode(t *testing.T) {
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o660: false, 0o644: false, 0o777: false} {
		_, path := keeper(t)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Open(path, "")
		switch {
		case fine && err != nil:
			t.Errorf("%#o: %v", mode, err)
		case !fine && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path)):
			t.Errorf("%#o: %v", mode, err)
		}
	}
}

// A file that is no key file is left as it is: what could open the secrets may yet be
// got out of it.
func TestFileIsDamaged(t *testing.T) {
	_, whole := keeper(t)
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for name, damaged := range map[string]string{
		"empty":              "",
		"zeros":              strings.Repeat("\x00", len(text)),
		"cut":                text[:len(text)-10],
		"without the key":    text[:strings.Index(text, "AGE-SECRET")],
		"another letter":     text[:len(text)-4] + flip(text[len(text)-4:]),
		"a line too many":    text + "hunter2\n",
		"a post-quantum key": text + "AGE-SECRET-KEY-PQ-1" + strings.Repeat("Q", 58) + "\n",
		"endless":            strings.Repeat(text, 500),
	} {
		path := filepath.Join(t.TempDir(), "secrets.key")
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := secret.Open(path, "")
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "put back") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), text[len(text)-40:len(text)-20])) {
			t.Errorf("%s: %v quotes the key", name, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != damaged {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
	}
	dir := t.TempDir()
	if _, err := secret.Open(dir, ""); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory: %v", err)
	}
	nowhere := filepath.Join(dir, "none", "secrets.key")
	if _, err := secret.Open(nowhere, ""); err == nil || !strings.Contains(err.Error(), filepath.Dir(nowhere)) {
		t.Errorf("in no directory: %v", err)
	}
}

// flip changes the first letter to another that a key may have.
func flip(text string) string {
	if text[0] == 'Q' {
		return "P" + text[1:]
	}
	return "Q" + text[1:]
}

// Keys are not changed where the file is another than was read, and what was open
// stays open.
func TestFileIsReplacedByOthers(t *testing.T) {
	k, path := keeper(t)
	_, other := keeper(t)
	sealed := seal(t, k, "x")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{k.Rotate, k.Forget} {
		if err := change(); err == nil || !strings.Contains(err.Error(), "restart the console") {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{k.Rotate, k.Forget} {
		if err := change(); err == nil || !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
	}
	opens(t, k, sealed, "x")
	opens(t, k, seal(t, k, "y"), "y")
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("there is a file again: %v", err)
	}
}
