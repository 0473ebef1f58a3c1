package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/client"
)

// These tests drive the built binary, as a user would.

// fixture is the package database of a real Debian 12 system.
const fixture = "../../internal/collect/testdata/debian12"

// fixturePairs is how many (vulnerability, source package) pairs the fixture has
// by the built-in sample, which holds every Debian record of the known answer.
const fixturePairs = 166

// patience is how long anything that these tests wait for may take.
const patience = 90 * time.Second

func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/patrol")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	return path
}

// run returns what a command printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// process is a patrol that runs until it is killed.
type process struct {
	cmd    *exec.Cmd
	ended  chan error
	stderr *bytes.Buffer
}

// start runs patrol and waits for a line of its output that begins so, if any;
// the rest of the line is returned.
func start(t *testing.T, env []string, line string, args ...string) (*process, string) {
	t.Helper()
	return startTelling(t, env, line, func(string) {}, args...)
}

// startTelling does the same, and tells of the lines before that one.
func startTelling(t *testing.T, env []string, line string, before func(line string), args ...string) (*process, string) {
	t.Helper()
	p := &process{cmd: exec.Command(binary(t), args...), ended: make(chan error, 1), stderr: new(bytes.Buffer)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), line); ok && line != "" {
				said <- rest
				break
			}
			before(lines.Text())
		}
		_, _ = io.Copy(io.Discard, out)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { p.kill(t) })
	if line == "" {
		return p, ""
	}
	select {
	case rest := <-said:
		return p, rest
	case err := <-p.ended:
		t.Fatalf("patrol %s ended: %v\n%s", args[0], err, p.stderr)
	case <-time.After(patience):
		t.Fatalf("patrol %s never said %q", args[0], line)
	}
	return nil, ""
}

// kill is kill -9; killing twice is fine.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.cmd.Process.Kill() == nil {
		<-p.ended
	}
}

const password = "correct horse battery staple"

// console starts a console on a data directory, and signs in.
func console(t *testing.T, dir, feed, listen string, more ...string) (*process, *client.Client) {
	t.Helper()
	p, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ",
		append([]string{"console", "--data-dir", dir, "--listen", listen, "--feed-url", feed}, more...)...)
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: parsed, HTTP: http.DefaultClient}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	return p, c
}

// agent starts an agent of a console.
func agent(t *testing.T, c *client.Client, dir, root string) *process {
	t.Helper()
	token, err := c.CreateToken(t.Context(), "enrolment", "test")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := start(t, []string{"PATROL_ENROLMENT_TOKEN=" + token.Token}, "",
		"agent", "--console", c.Console.String(), "--data-dir", dir, "--root", root)
	return p
}

// all returns a whole list of the API.
func all[T any](t *testing.T, c *client.Client, resource string, query url.Values) []T {
	t.Helper()
	items := []T{}
	for item, err := range client.List[T](t.Context(), c, resource, query) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// eventually asks another process until it says what is awaited.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	within(t, patience, what, done)
}

// within does so for as long as is said.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come", what)
		case <-tick.C:
		}
	}
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
	return v
}
