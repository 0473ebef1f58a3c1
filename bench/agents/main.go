// Command agents measures what a console takes to keep a fleet of agents that have
// nothing to do: it starts the built console (SQLite, TLS) and the simulator of
// agents (patrol simulate agents), each as a process of its own, waits until every
// agent has registered and listens, and then reads the console's processor time and
// memory from the kernel. It fails over a bound.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"patrol/internal/client"
	"patrol/internal/operations"
	"patrol/internal/scan"
)

// The bounds that a console has to stay under.
const (
	maxCores  = 0.5
	maxMemory = 600 << 20 // bytes resident
)

type options struct {
	binary, keep string
	memory       string
	count        int
	ramp         time.Duration
	settle, span time.Duration
	patience     time.Duration
	scan         bool
}

func main() {
	var o options
	flag.StringVar(&o.binary, "patrol", "bin/patrol", "the built program")
	flag.StringVar(&o.keep, "keep", "", "directory for the console's data and the logs, which then stay")
	flag.StringVar(&o.memory, "memory", "off", "the console's GOMEMLIMIT, such as 540MiB, towards which its collector of garbage works")
	flag.IntVar(&o.count, "count", 10_000, "how many agents")
	flag.DurationVar(&o.ramp, "ramp", 2*time.Minute, "how long until all agents have begun")
	flag.DurationVar(&o.settle, "settle", 40*time.Second, "how long to wait after the last handshake")
	flag.DurationVar(&o.span, "span", 90*time.Second, "how long to measure")
	flag.DurationVar(&o.patience, "patience", 10*time.Minute, "how long all may take to register")
	flag.BoolVar(&o.scan, "scan", true, "scan every node at last, and time that")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "agents:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	dir := o.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "patrol-agents-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	ctx, cancel := context.WithCancel(ctx) // ends the processes
	defer cancel()
	c, err := startConsole(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() { cancel(); c.wait() }()
	if err := onDemandOnly(ctx, c); err != nil {
		return err
	}
	token, err := c.api.CreateToken(ctx, "enrolment", "agents of the bench")
	if err != nil {
		return err
	}
	began := time.Now()
	agents, err := startAgents(ctx, dir, c, token.Token, o)
	if err != nil {
		return err
	}
	defer func() { cancel(); agents.wait() }()
	if err := listening(ctx, c, agents, o); err != nil {
		return err
	}
	used, err := c.usage()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d agents registered and listen after %v; the console took %v of processor for it, %d MiB at most\n",
		o.count, time.Since(began).Round(time.Second), used.processor.Round(10*time.Millisecond), used.peak>>20)
	if err := pause(ctx, o.settle); err != nil {
		return err
	}
	if err := measure(ctx, out, c, agents, o); err != nil || !o.scan {
		return err
	}
	return scanAll(ctx, out, c, o)
}

// onDemandOnly has no node scanned by itself, so that what is measured is what was
// asked for.
func onDemandOnly(ctx context.Context, c *console) error {
	var settings operations.Settings
	if err := c.api.Do(ctx, http.MethodGet, "settings", nil, &settings); err != nil {
		return err
	}
	settings.Automatic = operations.Automatic{OnArrival: []string{}, OnChange: []string{}}
	return c.api.Do(ctx, http.MethodPut, "settings", settings, nil)
}

// listening waits until each agent has its stream open.
func listening(ctx context.Context, c *console, agents *process, o options) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	for {
		open, err := c.metric(ctx, "patrol_agents_listening")
		if err == nil && int(open) >= o.count {
			return nil
		}
		select {
		case err := <-agents.ended:
			return fmt.Errorf("the agents ended: %w; see %s", err, agents.log)
		case <-ctx.Done():
			return fmt.Errorf("%.0f of %d agents listen after %v (%w)", open, o.count, o.patience, errors.Join(err, ctx.Err()))
		case <-time.After(time.Second):
		}
	}
}

// measure takes the console's usage over a span in which nothing happens.
func measure(ctx context.Context, out io.Writer, c *console, agents *process, o options) error {
	before, err := c.usage()
	if err != nil {
		return err
	}
	simulator, err := agents.usage()
	if err != nil {
		return err
	}
	beats, err := c.metric(ctx, `patrol_http_requests_total{route="POST /wire/v1/heartbeat",status="200"}`)
	if err != nil {
		return err
	}
	if err := pause(ctx, o.span); err != nil {
		return err
	}
	after, err := c.usage()
	if err != nil {
		return err
	}
	simulated, err := agents.usage()
	if err != nil {
		return err
	}
	beatsAfter, err := c.metric(ctx, `patrol_http_requests_total{route="POST /wire/v1/heartbeat",status="200"}`)
	if err != nil {
		return err
	}
	active, err := c.metric(ctx, `patrol_agents{state="active"}`)
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	cores := (after.processor - before.processor).Seconds() / seconds
	fmt.Fprintf(out, "heartbeats     %6.0f a second\n", (beatsAfter-beats)/seconds)
	fmt.Fprintf(out, "active agents  %6.0f of %d\n", active, o.count)
	fmt.Fprintf(out, "processor      %6.2f of a core over %v, bound %.2f (the simulator: %.2f)\n",
		cores, o.span, maxCores, (simulated.processor-simulator.processor).Seconds()/seconds)
	fmt.Fprintf(out, "memory         %6d MiB resident, bound %d (the simulator: %d)\n", after.resident>>20, maxMemory>>20, simulated.resident>>20)
	var over []error
	if cores > maxCores {
		over = append(over, fmt.Errorf("the console took %.2f of a core, more than %.2f", cores, maxCores))
	}
	if after.resident > maxMemory {
		over = append(over, fmt.Errorf("the console had %d MiB, more than %d", after.resident>>20, maxMemory>>20))
	}
	if int(active) != o.count {
		over = append(over, fmt.Errorf("%.0f of %d agents are active", active, o.count))
	}
	return errors.Join(over...)
}

// scanAll asks for a scan of every node, and waits for the end of the last.
func scanAll(ctx context.Context, out io.Writer, c *console, o options) error {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	before, err := c.usage()
	if err != nil {
		return err
	}
	if err := c.api.Do(ctx, http.MethodPost, "scans", scan.StartRequest{Selector: "true"}, nil); err != nil {
		return err
	}
	for {
		complete, err := c.metric(ctx, `patrol_events_total{type="scan.completed"}`)
		if err == nil && int(complete) >= o.count {
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("%.0f of %d scans are complete: %w", complete, o.count, err)
		}
	}
	after, err := c.usage()
	if err != nil {
		return err
	}
	states := map[string]int{}
	for s, err := range client.List[scan.Scan](ctx, c.api, "scans", nil) {
		if err != nil {
			return err
		}
		states[s.State]++
	}
	fmt.Fprintf(out, "a scan of all  %6.0f s, %v of processor, %d MiB resident at most; %v\n",
		after.at.Sub(before.at).Seconds(), (after.processor - before.processor).Round(10*time.Millisecond), after.peak>>20, states)
	if states[scan.Complete] != o.count {
		return fmt.Errorf("%d of %d scans are complete", states[scan.Complete], o.count)
	}
	return nil
}

func pause(ctx context.Context, wait time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

func logFile(dir, name string) string { return filepath.Join(dir, name+".log") }
