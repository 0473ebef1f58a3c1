package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"patrol/internal/agent/containers"
	"patrol/internal/collect"
	"patrol/internal/platform/lease"
	"patrol/internal/wire"
)

// How the agent keeps up with the containers of its host.
const (
	// findEvery is how often it looks for sockets that have come.
	findEvery = 10 * time.Second
	// settle is how long it waits for more after an event: they come in bursts.
	settle = 300 * time.Millisecond
	// secondLook is when it lists again after an event: Docker tells of the end of a
	// container before its list does.
	secondLook = time.Second
	// slowLook is when it lists without having been told anything.
	slowLook = time.Minute
	// askAgain is how long it lets a runtime be that could not be asked, at most.
	askAgain = 4 * time.Second
	// resync is how often it says everything, and not only what changed.
	resync = 5 * time.Minute
)

// children are the containers and images of the host, as its runtimes list them.
// Each runtime is followed by itself; what they say is reported together.
type children struct {
	labels  map[string]string // for all of them
	changed chan struct{}
	again   chan struct{} // the console may not know what it was told
	looked  chan struct{} // closed once sockets were looked for
	listed  chan struct{} // what runs may be others now, for who watches their packages

	mu       sync.Mutex // guards what follows
	runtimes map[string]*followed
}

// followed is a runtime, and what it has said.
type followed struct {
	containers.Runtime
	asked bool // once, with or without an answer
	list  []wire.Child
	err   error // why it cannot be asked now
}

func newChildren(labels map[string]string) *children {
	c := &children{
		labels: map[string]string{}, changed: make(chan struct{}, 1), again: make(chan struct{}, 1),
		looked: make(chan struct{}), listed: make(chan struct{}, 1), runtimes: map[string]*followed{},
	}
	if cluster := labels[containers.ClusterLabel]; cluster != "" {
		c.labels[containers.ClusterLabel] = cluster
	}
	return c
}

// find follows the runtimes of those names, or else each that is found below root,
// until the context ends.
func (c *children) find(ctx context.Context, names []string, root string) {
	var following sync.WaitGroup
	defer following.Wait()
	once := sync.OnceFunc(func() { close(c.looked) })
	for ctx.Err() == nil {
		now := names
		if len(names) == 0 {
			now = containers.Find(root)
		}
		for _, name := range now {
			if c.runtime(name) != nil {
				continue
			}
			r, err := containers.Open(name)
			if err != nil {
				slog.Error("containers are not seen", "error", err)
				continue
			}
			c.mu.Lock()
			c.runtimes[name] = &followed{Runtime: r}
			c.mu.Unlock()
			following.Go(func() { c.follow(ctx, r) })
		}
		once()
		poke(c.changed)
		pause(ctx, findEvery)
	}
}

// none says that there is no runtime to follow.
func (c *children) none() {
	close(c.looked)
	poke(c.changed)
}

func (c *children) runtime(name string) containers.Runtime {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.runtimes[name]; f != nil {
		return f.Runtime
	}
	return nil
}

// follow keeps a runtime's list up to date, and connects again when it was lost.
func (c *children) follow(ctx context.Context, r containers.Runtime) {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		err := c.listen(ctx, r, func() { attempt = 1 })
		if ctx.Err() != nil {
			return
		}
		level := slog.LevelWarn
		if attempt > 1 {
			level = slog.LevelDebug // it was said
		}
		slog.Log(ctx, level, "the containers of a runtime are not seen now; it will be asked again", "runtime", r.Name(), "error", err)
		c.set(r, nil, err)
		pause(ctx, min(lease.Backoff(attempt), askAgain))
	}
}

// listen lists whenever the runtime says that something changed.
func (c *children) listen(ctx context.Context, r containers.Runtime, worked func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	due := make(chan struct{}, 1)
	var watching sync.WaitGroup
	watching.Go(func() { cancel(r.Watch(ctx, func() { poke(due) })) })
	defer watching.Wait()
	defer cancel(nil)
	look := time.NewTimer(slowLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-due:
			look.Reset(secondLook)
		case <-look.C:
			look.Reset(slowLook)
		}
		list, err := r.List(ctx)
		if err != nil {
			return err
		}
		worked()
		c.set(r, list, nil)
		pause(ctx, settle)
	}
}

// set takes what a runtime said. One that cannot be asked keeps its last list.
func (c *children) set(r containers.Runtime, list []wire.Child, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.runtimes[r.Name()]
	f.asked, f.err = true, err
	if err == nil {
		for i := range list {
			list[i].Runtime = r.Name()
			if list[i].Kind == wire.ContainerKind {
				maps.Copy(list[i].Labels, c.labels)
			}
		}
		f.list = list
	}
	poke(c.changed)
	poke(c.listed)
}

// now is all that is known; false before every runtime was asked once, for what
// has not been looked at yet is not gone.
func (c *children) now() (runtimes []wire.Runtime, all map[wire.ChildKey]wire.Child, ready bool) {
	select {
	case <-c.looked:
		ready = true
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	runtimes, all = []wire.Runtime{}, map[wire.ChildKey]wire.Child{}
	for _, name := range slices.Sorted(maps.Keys(c.runtimes)) {
		f := c.runtimes[name]
		ready = ready && f.asked
		state := wire.Runtime{Name: name}
		if f.err != nil {
			state.Error = f.err.Error()[:min(len(f.err.Error()), 1024)]
		}
		for i, child := range f.list {
			if len(all) == wire.ChildrenLimit {
				state.Error = fmt.Sprintf("it has more containers and images than the %d that are reported: %d are left out", wire.ChildrenLimit, len(f.list)-i)
				break
			}
			all[wire.ChildKey{Kind: child.Kind, Key: child.Key}] = child
		}
		runtimes = append(runtimes, state)
	}
	return runtimes, all, ready
}

// report tells the console what there is, and then what changes.
func (c *children) report(ctx context.Context, client *wire.Client) {
	told := knowledge{full: true}
	everything := time.NewTicker(resync*9/10 + rand.N(resync/5)) // many hosts start together
	defer everything.Stop()
	var failed error
	for attempt := 0; ; {
		retry := make(<-chan time.Time)
		if attempt > 0 {
			retry = time.After(delay(failed, attempt))
		}
		select {
		case <-ctx.Done():
			return
		case <-c.changed:
		case <-retry:
		case <-c.again:
			told.full = true
		case <-everything.C:
			told.full = true
		}
		runtimes, all, ready := c.now()
		request, news := told.news(runtimes, all)
		if !ready || !news {
			continue
		}
		if err := client.Children(ctx, request); err != nil {
			if ctx.Err() == nil {
				slog.Warn("could not report the containers of this host", "error", err)
			}
			attempt, failed, told.full = attempt+1, err, true
			continue
		}
		attempt, told = 0, knowledge{runtimes: runtimes, all: all}
	}
}

// knowledge is what the console was told.
type knowledge struct {
	full     bool // it may know something else
	runtimes []wire.Runtime
	all      map[wire.ChildKey]wire.Child
}

// news is what the console does not know yet; false if there is nothing. What went
// while a runtime could not be asked shows in the whole list alone.
func (k knowledge) news(runtimes []wire.Runtime, all map[wire.ChildKey]wire.Child) (wire.ChildrenRequest, bool) {
	full := k.full || slices.ContainsFunc(runtimes, func(r wire.Runtime) bool {
		return r.Error == "" && !slices.Contains(k.runtimes, r)
	})
	out := wire.ChildrenRequest{Runtimes: runtimes, Full: full, Children: []wire.Child{}}
	for key, child := range all {
		if before, known := k.all[key]; full || !known || !reflect.DeepEqual(before, child) {
			out.Children = append(out.Children, child)
		}
	}
	for key := range k.all {
		if _, there := all[key]; !there && !full {
			out.Gone = append(out.Gone, key)
		}
	}
	return out, full || len(out.Children)+len(out.Gone) > 0 || !slices.Equal(k.runtimes, runtimes)
}

// collect reads what is installed in a container or an image.
func (c *children) collect(ctx context.Context, target wire.Target) (*collect.Result, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.looked:
	}
	r := c.runtime(target.Runtime)
	if r == nil {
		return nil, fmt.Errorf("the container runtime %s is not there any more", target.Runtime)
	}
	return containers.Collect(ctx, r, target.Kind, target.Key)
}

// open opens the tree of a container.
func (c *children) open(ctx context.Context, runtime, key string) (*os.Root, error) {
	r := c.runtime(runtime)
	if r == nil {
		return nil, fmt.Errorf("the container runtime %s is not there any more", runtime)
	}
	return containers.Root(ctx, r, key)
}

// storage are the directories below root, as paths below it, where runtimes keep
// what is not the host's. Those that cannot say are at their usual places.
func (c *children) storage(ctx context.Context, root string) (dirs []string) {
	select {
	case <-ctx.Done():
	case <-c.looked:
	}
	c.mu.Lock()
	runtimes := slices.Collect(maps.Values(c.runtimes))
	c.mu.Unlock()
	for _, f := range runtimes {
		r, says := f.Runtime.(containers.Storer)
		if !says {
			continue
		}
		dir, err := r.Storage(ctx)
		if err != nil {
			slog.Warn("where a container runtime keeps its files is not known", "runtime", f.Name(), "error", err)
			continue
		}
		// A runtime names its directory as the machine does; below another root so does
		// its tree, unless the root is only a part of the machine.
		if rel, err := filepath.Rel(root, dir); err == nil && filepath.IsLocal(rel) {
			dir = rel
		}
		if dir = strings.Trim(dir, "/"); dir != "" && dir != "." {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// poke wakes who waits, if it is not awake already.
func poke(waiter chan<- struct{}) {
	select {
	case waiter <- struct{}{}:
	default:
	}
}
