// Package agent is the process on a machine that the console asks to collect
// what is installed. It decides nothing: it registers, says that it is there,
// does the commands that it is given, and reports.
//
// It works for ever. Whatever fails — the network, the console, one scan — is
// logged, and tried again with a backoff that grows and is spread, and never before
// the console wants it.
//
// An agent is inside the machine that it judges: whoever is root there can make
// it lie.
package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"patrol/internal/agent/cloud"
	"patrol/internal/collect"
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
	// DataDir keeps the agent's identity across restarts; without one it is
	// forgotten when the agent ends.
	DataDir string
	Labels  map[string]string
	// Runtimes are the container runtimes to ask, as "kind:socket"; those that are
	// found below Root if it is empty.
	Runtimes []string
	Version  string
	// Cloud tells which cloud instance this is; nil is to ask the metadata service,
	// if Root is this machine's.
	Cloud func(context.Context) (cloud.Identity, bool)
	// Heartbeat is how often the agent says that it is there; the console's pace if
	// it is zero.
	Heartbeat time.Duration
	// Unwatched says that changes of packages are not to be noticed.
	Unwatched bool
	// Settle is for how long package databases have to be quiet before a change of
	// them is told; watch.DefaultSettle if it is zero.
	Settle time.Duration
	// Machine, if set, stands in for the machine: nothing of Root is read, and no
	// runtime is asked.
	Machine Machine
}

// Machine is one that exists in a simulation alone.
type Machine interface {
	Facts() wire.Facts
	Collect(ctx context.Context) (*collect.Result, error)
}

const (
	// pace is how often the agent says that it is there, until the console tells.
	pace = 30 * time.Second
	// poll is how often the agent asks for commands without being told to. Stream and
	// heartbeat both tell it.
	poll = 5 * time.Minute
)

// Agent is a registered agent.
type Agent struct {
	options  Options
	client   *wire.Client
	children *children
	packages *packages // nil where they are not watched
	session  string
	machine  *machine
}

// Run registers if need be, and works until the context ends. An agent that the
// console no longer knows registers again if it has an enrolment token, and one
// that is another's clone registers as a machine of its own. Run returns an error
// only where trying again cannot help.
func Run(ctx context.Context, o Options) (err error) {
	release, err := lock(o.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	session, machine := rand.Text(), new(machine)
	id, err := loadIdentity(o.DataDir, o.Console.String())
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		a := &Agent{
			options: o, client: &wire.Client{Console: o.Console, HTTP: o.HTTP}, children: newChildren(o.Labels), session: session, machine: machine,
		}
		if err := a.identify(ctx, &id); err != nil || ctx.Err() != nil {
			return err
		}
		switch err := a.work(ctx, id.Node); {
		case errors.Is(err, wire.ErrUnknown):
			slog.Warn("the console does not know this agent's credential: it was revoked, or the console was set up anew", "node", id.Node)
		case errors.Is(err, wire.ErrShared):
			slog.Error("another agent uses this agent's credential: this machine is a clone of the other, or has its data", "node", id.Node, "console", err)
			id.Key = rand.Text() // the other's, too
		default:
			continue
		}
		if o.EnrolmentToken == "" {
			slog.Error("to register this machine, start the agent with --enrolment-token, made on the console with patrol tokens create --kind enrolment", "again_in", pace)
			pause(ctx, pace)
			continue
		}
		id.Node, id.Credential = "", ""
		if err := id.save(o.DataDir); err != nil {
			return err
		}
	}
	return nil
}

// work goes on until the context ends, or the console refuses the agent. It begins
// once the console has heard who this is: a clone is not to work for the original.
func (a *Agent) work(ctx context.Context, node string) error {
	if err := a.greet(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var unwatched error
	if a.options.Machine == nil && !a.options.Unwatched {
		a.packages = newPackages(a.options, node) // before anything is collected
		unwatched = a.packages.watchHost(ctx, a.options.Root)
	}
	wake := make(chan struct{}, 1)
	var others sync.WaitGroup
	others.Go(func() { a.listen(ctx, wake) })
	others.Go(func() { a.beat(ctx, wake, cancel) })
	others.Go(func() {
		if a.options.Machine == nil {
			a.children.find(ctx, a.options.Runtimes, a.options.Root)
		} else {
			a.children.none()
		}
	})
	others.Go(func() { a.children.report(ctx, a.client) })
	if a.packages != nil {
		others.Go(func() { a.packages.watcher.Run(ctx) })
		others.Go(func() { a.packages.awaitHost(ctx, a.options.Root, unwatched) })
		others.Go(func() { a.packages.follow(ctx, a.children) })
		others.Go(func() { a.packages.report(ctx, a.client) })
	}
	a.obey(ctx, wake)
	others.Wait()
	return context.Cause(ctx)
}

// identify registers until the console answers, unless the agent is registered.
func (a *Agent) identify(ctx context.Context, id *identity) error {
	if id.Credential != "" {
		a.client.Credential = id.Credential
		slog.Info("agent starts", "console", a.options.Console.Redacted(), "node", id.Node)
		return nil
	}
	if a.options.EnrolmentToken == "" {
		return errors.New("this agent is not registered yet: pass --enrolment-token, made on the console with patrol tokens create --kind enrolment")
	}
	return again(ctx, "register", func() error {
		facts, err := a.facts(ctx)
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
		wait := delay(err, attempt+1)
		slog.Warn("not connected to the console", "error", err, "again_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
	}
}

// facts is what this agent says of its machine and itself now.
func (a *Agent) facts(ctx context.Context) (wire.Facts, error) {
	if a.options.Machine != nil {
		facts := a.options.Machine.Facts()
		facts.Protocol, facts.Agent, facts.Session = wire.Version, a.options.Version, a.session
		return facts, nil
	}
	facts, err := readFacts(a.options)
	a.machine.describe(ctx, a.options, &facts)
	facts.Session = a.session
	return facts, err
}

// greet sends the first heartbeat, however long the console is away.
func (a *Agent) greet(ctx context.Context) error {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		_, err := a.heartbeat(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, wire.ErrUnknown), errors.Is(err, wire.ErrShared):
			return err
		case errors.Is(err, wire.ErrRefused):
			return nil // what is wrong with it was said, and is no reason not to work
		}
		pause(ctx, delay(err, attempt))
	}
	return nil
}

// heartbeat says that the agent is there.
func (a *Agent) heartbeat(ctx context.Context) (out wire.HeartbeatResponse, err error) {
	facts, err := a.facts(ctx)
	if err == nil {
		out, err = a.client.Heartbeat(ctx, facts)
	}
	if err != nil && ctx.Err() == nil {
		slog.Warn("heartbeat failed", "error", err)
	}
	if out.Shared {
		slog.Warn("another machine came with this agent's credential, and was refused: it is a clone of this one, or has its data")
	}
	return out, err
}

// beat sends heartbeats at the console's pace, each of them a little sooner or later:
// agents that were started together do not ask together.
func (a *Agent) beat(ctx context.Context, wake chan<- struct{}, cancel context.CancelCauseFunc) {
	every := cmp.Or(a.options.Heartbeat, pace)
	for wait := mathrand.N(every); ; {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		out, err := a.heartbeat(ctx)
		if errors.Is(err, wire.ErrUnknown) || errors.Is(err, wire.ErrShared) {
			cancel(err)
		}
		if out.Commands {
			poke(wake)
		}
		every = cmp.Or(a.options.Heartbeat, time.Duration(out.Seconds)*time.Second, pace)
		wait = max(every*9/10+mathrand.N(every/5+1), min(wire.RetryAfter(err), longest))
	}
}

// obey claims commands and does them one after another.
func (a *Agent) obey(ctx context.Context, wake <-chan struct{}) {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		out, err := a.client.Claim(ctx)
		if err == nil && len(out.Commands) > 0 {
			attempt = 0
			for _, command := range out.Commands {
				a.do(ctx, command)
			}
			continue
		}
		wait := poll
		switch {
		case err != nil: // the listener complains of a console that is away; here it would be twice
			wait = delay(err, attempt)
		case out.RetrySeconds > 0:
			wait = min(poll, time.Duration(out.RetrySeconds)*time.Second)
		}
		if err == nil {
			attempt = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}
