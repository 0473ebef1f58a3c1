package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/platform/secret"
)

// Who only looks makes no key, and is told that there is none.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.key")
	k, err := secret.Read(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it made a file")
	}
	sealed := seal(t, reopen(t, filepath.Join(t.TempDir(), "secrets.key")), "x")
	if _, err := k.Reveal(sealed); !errors.Is(err, secret.ErrKey) || !strings.Contains(err.Error(), "there is no "+path) {
		t.Errorf("Reveal without a key: %v", err)
	}
	sealed = seal(t, reopen(t, path), "x")
	if k, err = secret.Read(path, ""); err != nil {
		t.Fatal(err)
	}
	opens(t, k, sealed, "x")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Read(path, ""); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("Read of a file that others read: %v", err)
	}
}

// A new key is what the configuration and a key file take.
func TestNewKey(t *testing.T) {
	key, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	given, err := secret.Read("", key)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(key, "# public key: "+given.Public()+"\n") {
		t.Errorf("the public side is not in %.20s…", key)
	}
	path := filepath.Join(t.TempDir(), "secrets.key")
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	opens(t, reopen(t, path), seal(t, given, "x"), "x")
}
