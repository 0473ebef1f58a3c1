// Package agents runs any number of agents in one process, to see what a console
// bears. They are the agents that run on machines (internal/agent), with their own
// connections, and speak to the console as those do; only their machines are made up.
package agents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"patrol/internal/agent"
	"patrol/internal/collect"
	"patrol/internal/sbom"
	"patrol/internal/simulate"
	"patrol/internal/wire"
)

// Options say which agents to run.
type Options struct {
	Console        *url.URL
	EnrolmentToken string
	// HTTP returns a client of its own for each agent: machines share no connection.
	HTTP func() *http.Client
	// Count is how many there are.
	Count int
	// Inventories is how many distinct ones the machines share.
	Inventories int
	// Heartbeat is how often each agent says that it is there; the console's pace if
	// it is zero.
	Heartbeat time.Duration
	// Ramp is how long it takes until all have begun.
	Ramp    time.Duration
	Seed    uint64
	Version string
}

// Run runs the agents until the context ends, or one of them cannot go on.
func Run(ctx context.Context, o Options) error {
	if o.Count < 1 || o.Inventories < 1 {
		return errors.New("there is at least one agent, with at least one inventory")
	}
	if err := allowConnections(o.Count); err != nil {
		return err
	}
	fleet := simulate.Fleet{Nodes: o.Count, Inventories: o.Inventories, Seed: o.Seed}
	running, ctx := errgroup.WithContext(ctx)
	next := time.NewTimer(0)
	defer next.Stop()
	for i := range o.Count {
		select {
		case <-ctx.Done():
			return running.Wait()
		case <-next.C:
		}
		next.Reset(o.Ramp / time.Duration(o.Count))
		running.Go(func() error {
			err := agent.Run(ctx, agent.Options{
				Console: o.Console, EnrolmentToken: o.EnrolmentToken, HTTP: o.HTTP(), Version: o.Version, Heartbeat: o.Heartbeat,
				Machine: machine{fleet, i},
			})
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("agent %d: %w", i, err)
			}
			return nil
		})
	}
	return running.Wait()
}

// allowConnections raises the number of files that this process may have open.
func allowConnections(n int) error {
	const besides = 256 // what the process has open anyway
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if need := uint64(n + besides); limit.Cur < need {
		limit.Cur, limit.Max = need, max(limit.Max, need)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("%d agents need %d open files: %w; raise the limit with ulimit -n", n, need, err)
		}
	}
	return nil
}

// machine is one of a fleet, by number.
type machine struct {
	simulate.Fleet
	number int
}

func (m machine) Facts() wire.Facts {
	id := sha256.Sum256(fmt.Appendf(nil, "machine %d of %d", m.number, m.Seed))
	return wire.Facts{
		Name: fmt.Sprintf("simulated-%05d", m.number), MachineID: hex.EncodeToString(id[:16]),
		Distribution: sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12"},
		Architecture: runtime.GOARCH, Kernel: "6.1.0-18-amd64",
		Labels: map[string]string{"env": "simulated", "rack": fmt.Sprintf("rack-%03d", m.number/40)},
	}
}

func (m machine) Collect(context.Context) (*collect.Result, error) {
	return &collect.Result{Document: m.Document(m.number % m.Inventories)}, nil
}
