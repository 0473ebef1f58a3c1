package agent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"patrol/internal/agent/watch"
	"patrol/internal/collect"
	"patrol/internal/wire"
)

const (
	// tellPause is how long a tree is not told of again: what changes all the time is
	// told of once a minute, and its last state is never left out.
	tellPause = time.Minute
	// askOlder is when a console is told again that did not know what it was told.
	askOlder = 10 * time.Minute
	// awaitChild is when a container is told of again that the console did not know.
	awaitChild = 2 * time.Second
	// remember is for how long the state of a container that ended is kept: it may be
	// started again.
	remember = time.Hour
)

// packages tells the console that packages changed, on the host or in a container.
//
// Of each tree it keeps the state of its package databases that the console knows:
// it was there when a scan began that the console has, or the console was told of
// it. Whatever else they look like is news. This is kept across restarts, so that
// what is installed while no agent runs is told, too, and once.
type packages struct {
	node    string
	path    string // of the file; "" keeps nothing
	watcher *watch.Watcher
	news    chan struct{}

	mu      sync.Mutex // guards what follows
	known   map[string]string
	changed map[string]string // tree → state that the console does not know
	told    map[string]time.Time
	gone    map[string]time.Time // since when a tree is not there
}

// hostTree is the name of the host's tree; a container's is its kind and key.
const hostTree = "host"

func treeOf(target *wire.Target) string {
	if target == nil {
		return hostTree
	}
	return childTree(wire.ChildKey{Kind: target.Kind, Key: target.Key})
}

func childTree(key wire.ChildKey) string { return key.Kind + "/" + key.Key }

// kept is the file packages.json.
type kept struct {
	Node  string            `json:"node"` // whose it is: another one knows nothing
	Known map[string]string `json:"known"`
}

func newPackages(o Options, node string) *packages {
	p := &packages{
		node: node, news: make(chan struct{}, 1), known: make(map[string]string), changed: make(map[string]string),
		told: make(map[string]time.Time), gone: make(map[string]time.Time),
	}
	p.watcher = watch.New(o.Settle, p.look)
	if o.DataDir == "" {
		return p
	}
	p.path = filepath.Join(o.DataDir, "packages.json")
	data, err := os.ReadFile(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return p
	}
	var before kept
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil {
		slog.Warn("whether packages changed since the agent ran last is not known", "error", err)
	} else if before.Node == node && before.Known != nil {
		p.known = before.Known
	}
	return p
}

// save replaces the file. It is called with the lock held.
func (p *packages) save() {
	if p.path == "" {
		return
	}
	data, err := json.Marshal(kept{p.node, p.known})
	if err == nil {
		err = replace(p.path, data)
	}
	if err != nil {
		slog.Warn("what the console knows of packages is not kept: it may be told again", "error", err)
	}
}

// replace writes a file in one step: a crash leaves the old one or the new.
func replace(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	if _, err := file.Write(data); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// watchHost begins to watch the host itself.
func (p *packages) watchHost(ctx context.Context, root string) error {
	return p.watch(ctx, hostTree, func(context.Context) (*os.Root, error) { return os.OpenRoot(root) })
}

// awaitHost tries until the host is watched, or the context ends.
func (p *packages) awaitHost(ctx context.Context, root string, err error) {
	for attempt := 1; err != nil; attempt++ {
		wait := delay(nil, attempt)
		slog.Warn("changes of this host's packages are not noticed yet", "error", err, "again_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		err = p.watchHost(ctx, root)
	}
}

// watch begins to watch a tree.
func (p *packages) watch(ctx context.Context, tree string, open watch.Tree) error {
	state, err := p.watcher.Add(ctx, tree, open)
	if err != nil {
		return err
	}
	p.mu.Lock()
	_, seen := p.known[tree]
	if !seen { // the console scans what is new
		p.known[tree] = state
		p.save()
	}
	p.mu.Unlock()
	p.look(tree, state)
	return nil
}

// look compares the state of a tree with what the console knows.
func (p *packages) look(tree, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[tree] == state {
		delete(p.changed, tree)
		return
	}
	p.changed[tree] = state
	poke(p.news)
}

// before is the state of a tree before it is collected; "" if that is not known.
func (p *packages) before(ctx context.Context, a *Agent, target *wire.Target) string {
	if p == nil || target != nil && target.Kind != wire.ContainerKind {
		return ""
	}
	var root *os.Root
	var err error
	if target == nil {
		root, err = os.OpenRoot(a.options.Root)
	} else {
		root, err = a.children.open(ctx, target.Runtime, target.Key)
	}
	if err != nil {
		return "" // the scan says so
	}
	defer func() { _ = root.Close() }()
	state, err := collect.DatabaseState(root)
	if err != nil {
		return ""
	}
	return state
}

// scanned notes that the console has a scan of a tree that began in that state.
func (p *packages) scanned(target *wire.Target, state string) {
	if p == nil || state == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.know(map[string]string{treeOf(target): state})
}

// know notes what the console knows. It is called with the lock held.
func (p *packages) know(states map[string]string) {
	news := false
	for tree, state := range states {
		news = news || p.known[tree] != state
		p.known[tree] = state
		if p.changed[tree] == state {
			delete(p.changed, tree)
		}
	}
	if news {
		p.save()
	}
}

// follow watches the containers that run, until the context ends.
func (p *packages) follow(ctx context.Context, c *children) {
	watched := make(map[string]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.listed:
		}
		_, all, ready := c.now()
		run := make(map[string]bool)
		for key, child := range all {
			if key.Kind != wire.ContainerKind {
				continue
			}
			tree := childTree(key)
			run[tree] = true
			if watched[tree] {
				continue
			}
			err := p.watch(ctx, tree, func(ctx context.Context) (*os.Root, error) {
				return c.open(ctx, child.Runtime, child.Key)
			})
			if watched[tree] = err == nil; err != nil {
				slog.Debug("packages are not watched", "tree", tree, "error", err)
			}
		}
		if ready { // what has not been looked at yet is not gone
			maps.DeleteFunc(watched, func(tree string, _ bool) bool { return !run[tree] })
			p.leave(run, time.Now())
		}
	}
}

// leave ends the watch of containers that ended, and forgets those that ended long ago.
func (p *packages) leave(run map[string]bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	forgotten := false
	for tree := range p.known {
		since, gone := p.gone[tree]
		switch {
		case tree == hostTree:
		case run[tree]:
			delete(p.gone, tree)
		case !gone:
			p.gone[tree] = now
			p.watcher.Remove(tree)
		case now.Sub(since) > remember:
			forgotten = true
			delete(p.known, tree)
			delete(p.changed, tree)
			delete(p.told, tree)
			delete(p.gone, tree)
		}
	}
	if forgotten {
		p.save()
	}
}

// report tells the console what changed, until the context ends.
func (p *packages) report(ctx context.Context, client *wire.Client) {
	for attempt := 0; ; {
		states, wait := p.due(time.Now())
		if len(states) > 0 {
			unknown, err := p.tell(ctx, client, states)
			switch {
			case err == nil && unknown:
				attempt, wait = 0, awaitChild
			case err == nil:
				attempt = 0
				continue
			case errors.Is(err, wire.ErrOlder):
				slog.Debug("the console is older than this agent, and is not told of changed packages", "again_in", askOlder)
				attempt, wait = 0, askOlder
			default:
				attempt++
				wait = delay(err, attempt)
				if ctx.Err() == nil {
					slog.Warn("could not tell that packages changed", "error", err, "again_in", wait.Round(time.Millisecond))
				}
			}
			pause(ctx, wait)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.news:
		case <-later:
		}
	}
}

// due are the states to tell of now, and how long until there are more; zero if there
// are none.
func (p *packages) due(now time.Time) (states map[string]string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	states = make(map[string]string)
	for tree, state := range p.changed {
		if _, gone := p.gone[tree]; gone {
			continue // there is nothing to scan; it may come back
		}
		left := p.told[tree].Add(tellPause).Sub(now)
		switch {
		case left <= 0 && len(states) < wire.ChildrenLimit:
			states[tree] = state
		case wait == 0 || left < wait:
			wait = max(left, time.Millisecond)
		}
	}
	return states, wait
}

// tell tells of these trees. Unknown says that the console was not told of some of
// them as containers yet.
func (p *packages) tell(ctx context.Context, client *wire.Client, states map[string]string) (unknown bool, err error) {
	var request wire.ChangedRequest
	for _, tree := range slices.Sorted(maps.Keys(states)) {
		if tree == hostTree {
			request.Host = true
			continue
		}
		kind, key, _ := strings.Cut(tree, "/")
		request.Children = append(request.Children, wire.ChildKey{Kind: kind, Key: key})
	}
	out, err := client.Changed(ctx, request)
	if err != nil && !errors.Is(err, wire.ErrRefused) {
		return false, err
	}
	if err != nil { // it will say the same again
		slog.Error("the console refuses to be told that packages changed", "error", err)
	}
	for _, key := range out.Unknown {
		delete(states, childTree(key))
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for tree := range states {
		p.told[tree] = now
		slog.Info("packages changed: the console was told", "of", tree)
	}
	p.know(states)
	return len(out.Unknown) > 0, nil
}
