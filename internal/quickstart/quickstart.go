// Package quickstart runs the main job on one machine without a step by hand: a
// console, an agent beside it, a schedule that fires, and the findings. The two
// are processes of their own, as in production, and it speaks to them as anybody
// would: through the API.
package quickstart

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"patrol/internal/client"
	"patrol/internal/feed"
	"patrol/internal/fleet"
	"patrol/internal/report"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// Options say where.
type Options struct {
	// Program is the patrol binary.
	Program string
	// DataDir holds the console's data, and the agent's in agent/.
	DataDir, Listen, FeedURL, Root string
	// Password of the first administrator; kept in DataDir if it is made up.
	Password string
	// Out is where a person reads; Log where the two processes log.
	Out, Log io.Writer
}

// patience is how long each step may take.
const patience = 5 * time.Minute

// Run starts both processes, scans, says what was found, and stays until the
// context or one of the processes ends.
func Run(ctx context.Context, o Options) error {
	password, err := o.password()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var children []<-chan struct{}
	defer func() {
		cancel(nil)
		for _, ended := range children {
			<-ended
		}
	}()
	start := func(env []string, out io.Writer, args ...string) error {
		ended, err := o.start(ctx, cancel, env, out, args...)
		if err == nil {
			children = append(children, ended)
		}
		return err
	}

	address, announced := io.Pipe()
	err = start([]string{"PATROL_ADMIN_PASSWORD=" + password}, announced,
		"console", "--data-dir", o.DataDir, "--listen", o.Listen, "--feed-url", o.FeedURL)
	if err != nil {
		return err
	}
	console, err := readAddress(ctx, address)
	if err != nil {
		return err
	}
	c := &client.Client{Console: console, HTTP: http.DefaultClient}
	if err := c.SignIn(ctx, "admin", password); err != nil {
		return fmt.Errorf("sign in: %w; the password of an earlier start is needed in PATROL_ADMIN_PASSWORD", err)
	}
	token, err := c.CreateToken(ctx, "enrolment", "quickstart")
	if err != nil {
		return err
	}
	began := time.Now()
	err = start([]string{"PATROL_ENROLMENT_TOKEN=" + token.Token}, io.Discard,
		"agent", "--console", console.String(), "--data-dir", filepath.Join(o.DataDir, "agent"), "--root", o.Root)
	if err != nil {
		return err
	}
	found, err := o.scanNow(ctx, c, began)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	if err := o.tell(ctx, c, password, found); err != nil {
		return err
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// password returns the administrator's, and keeps one that it makes up for the
// next start.
func (o Options) password() (string, error) {
	if o.Password != "" {
		return o.Password, nil
	}
	path := filepath.Join(o.DataDir, "admin-password")
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return "", err
	}
	made := rand.Text()
	return made, os.WriteFile(path, []byte(made+"\n"), 0o600)
}

// start runs patrol as a child. When it ends, everything does, with its reason.
func (o Options) start(ctx context.Context, cancel context.CancelCauseFunc, env []string, out io.Writer, args ...string) (<-chan struct{}, error) {
	cmd := exec.CommandContext(ctx, o.Program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, o.Log
	// If this process is killed, its children must not stay behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start patrol %s: %w", args[0], err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := cmd.Wait()
		cancel(fmt.Errorf("patrol %s ended: %w", args[0], cmp.Or(err, io.EOF)))
	}()
	return ended, nil
}

// readAddress waits for the line in which the console says where it is.
func readAddress(ctx context.Context, out *io.PipeReader) (*url.URL, error) {
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	defer stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Patrol console on "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the console
			return url.Parse(address)
		}
	}
	return nil, cmp.Or(context.Cause(ctx), lines.Err())
}

// scanNow waits for the agent, fires the schedule of all hosts, and waits for the
// scan of this machine.
func (o Options) scanNow(ctx context.Context, c *client.Client, began time.Time) (scan.Scan, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the scan did not finish within five minutes; the log says why"))
	defer cancel()
	var node fleet.Node
	err := until(ctx, func() (bool, error) {
		for n, err := range client.List[fleet.Node](ctx, c, "nodes", url.Values{"state": {"active"}}) {
			if node = n; err != nil || n.LastSeen.After(began) {
				return err == nil, err
			}
		}
		return false, nil
	})
	if err != nil {
		return scan.Scan{}, err
	}
	fired := time.Now()
	if err := o.fire(ctx, c, node, fired); err != nil {
		return scan.Scan{}, err
	}
	var last scan.Scan
	err = until(ctx, func() (bool, error) {
		for s, err := range client.List[scan.Scan](ctx, c, "scans", nil) {
			last = s
			return err == nil && s.Finished() && s.FinishedAt.After(fired), err
		}
		return false, nil
	})
	return last, err
}

// fire enables the schedule for all hosts and sets its next fire time to now. While
// it is paused it stays so, and this machine alone is scanned.
func (o Options) fire(ctx context.Context, c *client.Client, node fleet.Node, now time.Time) error {
	for s, err := range client.List[schedule.Schedule](ctx, c, "schedules", nil) {
		switch {
		case err != nil:
			return err
		case s.Name != schedule.AllHosts:
		case s.Pause != nil:
			fmt.Fprintf(o.Out, "The schedule %q is paused (%s): this machine is scanned once, without it.\n", s.Name, s.Pause.Reason)
			return c.Do(ctx, http.MethodPost, "scans", scan.StartRequest{Nodes: []string{node.ID}}, nil)
		default:
			yes := true
			return c.Do(ctx, http.MethodPatch, "schedules/"+s.ID, schedule.Change{Enabled: &yes, NextFireAt: &now}, nil)
		}
	}
	return fmt.Errorf("the schedule %q was deleted: make it again, or use another --data-dir", schedule.AllHosts)
}

func (o Options) tell(ctx context.Context, c *client.Client, password string, s scan.Scan) error {
	var known feed.Overview
	if err := c.Do(ctx, http.MethodGet, "feed", nil, &known); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\n%s was scanned in %s: %d components; %s.\n", s.Node.Name, s.Duration().Round(time.Millisecond), s.Components, report.Counts(s.Counts))
	if s.State != scan.Complete {
		fmt.Fprintf(o.Out, "The scan is %s: %s\n", s.State, s.Error)
	}
	if s.Feed != nil && s.Feed.Sample {
		fmt.Fprintf(o.Out, "It was matched against the built-in SAMPLE of %s, which knows far too little.\n", known.AsOf.Format(time.DateOnly))
	}
	if a := known.LastAttempt; a != nil && a.Error != "" {
		fmt.Fprintf(o.Out, "The last update of the feed failed: %s\n", a.Error)
	}
	_, err := fmt.Fprintf(o.Out, "Findings: %s\nSign in:  admin, password %s\nStop with Ctrl-C.\n", c.Console.JoinPath("scans", s.ID), password)
	return err
}

// until asks ten times a second; the API tells of changes only to who asks.
func until(ctx context.Context, done func() (bool, error)) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
