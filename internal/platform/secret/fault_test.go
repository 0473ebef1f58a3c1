//go:build unix

package secret_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"patrol/internal/platform/secret"
)

// task is the variable that has this program, as a process of its own, do something
// to the key file that is its value's last word.
const task = "PATROL_SECRET_TEST"

func TestMain(m *testing.M) {
	if words := strings.Fields(os.Getenv(task)); len(words) == 3 {
		if err := do(words[0], words[1], words[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// do begins an operation, and is killed at a step of it; or has no disk left for it.
func do(operation, step, path string) error {
	armed := operation == "open"
	k, err := secret.OpenTelling(path, func(at string) {
		if armed && at == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err != nil {
		return err
	}
	armed = true
	switch operation {
	case "rotate":
		return k.Rotate()
	case "forget":
		return k.Forget()
	case "full":
		return full(k)
	}
	return nil
}

// full changes keys where no file may grow beyond a few bytes.
func full(k *secret.Keeper) error {
	before := k.Public()
	sealed, err := k.Seal([]byte("x"))
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 50, Max: 50}); err != nil {
		return err
	}
	if err := k.Rotate(); !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("rotate: %w", err)
	}
	if k.Public() != before {
		return errors.New("it seals with a key that is on no disk")
	}
	_, err = k.Reveal(sealed)
	return err
}

// run does a task in a process of its own.
func run(t *testing.T, operation, step, path string) error {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(os.Environ(), task+"="+operation+" "+step+" "+path)
	var said strings.Builder
	c.Stderr = &said
	err = c.Run()
	if said.Len() > 0 {
		t.Errorf("%s, %s: it said %s", operation, step, said.String())
	}
	return err
}

// killed does a task and wants it to be killed at that step.
func killed(t *testing.T, operation, step, path string) {
	t.Helper()
	err := run(t, operation, step, path)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s was not killed at %s: %v", operation, step, err)
	}
}

// finish changes keys from whatever state there is, as the package says.
func finish(t *testing.T, path string, rows map[string]string) {
	t.Helper()
	k := reopen(t, path)
	for plain, sealed := range rows {
		opens(t, k, sealed, plain)
	}
	if err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	for plain, sealed := range rows {
		opens(t, k, sealed, plain)
		if !k.Stale(sealed) {
			t.Errorf("%s is not stale", plain)
		}
		rows[plain] = seal(t, k, plain)
	}
	if err := k.Forget(); err != nil {
		t.Fatal(err)
	}
	k = reopen(t, path)
	for plain, sealed := range rows {
		opens(t, k, sealed, plain)
	}
	alone(t, path)
	if n := count(t, path); n != 1 {
		t.Errorf("%d keys are left", n)
	}
}

// Whenever a console is killed, what it sealed can be opened, and the change of keys
// can be begun again and finished.
func TestKilled(t *testing.T) {
	replacing := []string{"begun", "written", "synced", "renamed", "replaced"}
	for operation, steps := range map[string][]string{
		"open": {"begun", "written", "synced", "linked"}, "rotate": replacing, "forget": replacing,
	} {
		for _, step := range steps {
			t.Run(operation+"/"+step, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "secrets.key")
				rows := map[string]string{}
				if operation != "open" {
					k := reopen(t, path)
					rows["first"] = seal(t, k, "first")
					if operation == "forget" {
						if err := k.Rotate(); err != nil {
							t.Fatal(err)
						}
						rows["first"] = seal(t, k, "first") // anew, as it must be
					}
					rows["second"] = seal(t, k, "second")
				}
				killed(t, operation, step, path)
				finish(t, path, rows)
			})
		}
	}
}

// A disk that is full changes nothing.
func TestNoRoom(t *testing.T) {
	k, path := keeper(t)
	rows := map[string]string{"x": seal(t, k, "x")}
	if err := run(t, "full", "-", path); err != nil {
		t.Fatal(err)
	}
	alone(t, path)
	finish(t, path, rows)
}
