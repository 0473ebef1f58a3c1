// Package agent is the process on a machine that the console asks to collect
// what is installed. It decides nothing: it registers, says that it is there,
// does the commands that it is given, and reports.
//
// It works for ever. Whatever fails — the network, the console, one scan — is
// logged, and tried again with a backoff that grows and is spread.
//
// An agent is inside the machine that it judges: whoever is root there can make
// it lie.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"patrol/internal/platform/lease"
	"patrol/internal/wire"
)

// Options say which console to work for, and where.
type Options struct {
	Console *url.URL
	// EnrolmentToken is needed until the agent has a credential.
	EnrolmentToken string
	// HTTP makes the calls; it verifies the console's certificate.
	HTTP *http.Client
	// Root is the tree to collect: "/" for this machine.
	Root string
	// DataDir keeps the agent's identity across restarts.
	DataDir string
	Labels  map[string]string
	// Runtimes are the container runtimes to ask, as "kind:socket"; those that are
	// found below Root if it is empty.
	Runtimes []string
	Version  string
}

// poll is how often the agent asks for commands without being told to.
const poll = 30 * time.Second

// Agent is a registered agent.
type Agent struct {
	options  Options
	client   *wire.Client
	children *children
}

// Run registers if need be, and works until the context ends. An agent that the
// console no longer knows registers again if it has an enrolment token. Run
// returns an error only where trying again cannot help.
func Run(ctx context.Context, o Options) error {
	for ctx.Err() == nil {
		a := &Agent{options: o, client: &wire.Client{Console: o.Console, HTTP: o.HTTP}, children: newChildren(o.Labels)}
		id, err := a.identify(ctx)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if err := a.work(ctx); !errors.Is(err, wire.ErrUnknown) {
			continue
		}
		slog.Warn("the console does not know this agent's credential: it was revoked, or the console was set up anew", "node", id.Node)
		if o.EnrolmentToken == "" {
			pause(ctx, poll)
			continue
		}
		id.Credential = ""
		if err := id.save(o.DataDir); err != nil {
			return err
		}
	}
	return nil
}

// work goes on until the context ends, or the console does not know the agent.
func (a *Agent) work(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wake := make(chan struct{}, 1)
	var others sync.WaitGroup
	others.Go(func() { a.listen(ctx, wake) })
	others.Go(func() { a.beat(ctx, cancel) })
	others.Go(func() { a.children.find(ctx, a.options.Runtimes, a.options.Root) })
	others.Go(func() { a.children.report(ctx, a.client) })
	a.obey(ctx, wake)
	others.Wait()
	return context.Cause(ctx)
}

// identify loads the agent's identity, or registers until the console answers.
func (a *Agent) identify(ctx context.Context) (identity, error) {
	id, err := loadIdentity(a.options.DataDir, a.options.Console.String())
	if err != nil {
		return id, err
	}
	if id.Credential != "" {
		a.client.Credential = id.Credential
		slog.Info("agent starts", "console", a.options.Console.Redacted(), "node", id.Node)
		return id, nil
	}
	if a.options.EnrolmentToken == "" {
		return id, errors.New("this agent is not registered yet: pass --enrolment-token, made on the console with patrol tokens create --kind enrolment")
	}
	return id, again(ctx, "register", func() error {
		facts, err := readFacts(a.options)
		if err != nil {
			return err
		}
		out, err := a.client.Register(ctx, a.options.EnrolmentToken, wire.RegisterRequest{Key: id.Key, Facts: facts})
		if err != nil {
			return err
		}
		id.Node, id.Credential = out.Node, out.Credential
		if err := id.save(a.options.DataDir); err != nil {
			return err
		}
		a.client.Credential = out.Credential
		slog.Info("agent registered", "console", a.options.Console.Redacted(), "node", out.Node)
		return nil
	})
}

// listen keeps the stream open and passes on its wake-ups.
func (a *Agent) listen(ctx context.Context, wake chan<- struct{}) {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		connected := false
		err := a.client.Stream(ctx, func() {
			attempt = 0
			poke(wake)
			if !connected {
				connected = true
				poke(a.children.again)
			}
		})
		if ctx.Err() != nil {
			return
		}
		wait := lease.Backoff(attempt + 1)
		slog.Warn("not connected to the console", "error", err, "again_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
	}
}

// beat sends heartbeats at the console's pace.
func (a *Agent) beat(ctx context.Context, cancel context.CancelCauseFunc) {
	for ctx.Err() == nil {
		wait := poll
		facts, err := readFacts(a.options)
		if err == nil {
			var out wire.HeartbeatResponse
			if out, err = a.client.Heartbeat(ctx, facts); err == nil && out.Seconds > 0 {
				wait = time.Duration(out.Seconds) * time.Second
			}
		}
		if err != nil && ctx.Err() == nil {
			slog.Warn("heartbeat failed", "error", err)
		}
		if errors.Is(err, wire.ErrUnknown) {
			cancel(err)
		}
		pause(ctx, wait)
	}
}

// obey claims commands and does them one after another.
func (a *Agent) obey(ctx context.Context, wake <-chan struct{}) {
	for ctx.Err() == nil {
		out, err := a.client.Claim(ctx)
		if err == nil && len(out.Commands) > 0 {
			for _, command := range out.Commands {
				a.do(ctx, command)
			}
			continue
		}
		// The listener complains of a console that is away; here it would be twice.
		wait := poll
		if out.RetrySeconds > 0 {
			wait = min(poll, time.Duration(out.RetrySeconds)*time.Second)
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(wait):
		}
	}
}

// again tries until it works or the context ends; an answer that will not change
// is returned.
func again(ctx context.Context, what string, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, wire.ErrUnknown) || errors.Is(err, wire.ErrLost) || errors.Is(err, wire.ErrRefused) {
			return fmt.Errorf("%s: %w", what, err)
		}
		wait := lease.Backoff(attempt)
		slog.Warn("could not "+what, "error", err, "again_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
