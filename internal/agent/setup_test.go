package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/agent"
	"patrol/internal/agent/cloud"
	"patrol/internal/client"
	"patrol/internal/console"
	"patrol/internal/feed"
	"patrol/internal/fleet"
	"patrol/internal/operations"
	"patrol/internal/platform/auth"
	"patrol/internal/scan"
)

const password = "correct horse battery staple"

// patience is how long anything may take that happens by itself.
const patience = time.Minute

// house is a real console behind a proxy that can lose, hold and refuse what
// goes through it. The console may end and come back; its address stays.
type house struct {
	t       *testing.T
	dir     string // the console's data
	proxy   *httptest.Server
	api     *client.Client
	network *network
	end     func()
}

// network is what stands between agents and the console.
type network struct {
	mu      sync.Mutex
	target  *url.URL
	lose    string        // a part of the path whose next answer is lost on its way back
	refuse  string        // the method that is refused, as by a proxy with a size limit
	held    chan struct{} // if set, says that an upload has come
	release chan struct{} // and lets it go on
	uploads int

	broken string // the path that something between answers itself, with 502

	count     string // a part of the path whose requests are
	counted   int
	conflicts int // answers that say that something is another's
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), network: new(network)}
	proxy := &httputil.ReverseProxy{
		Rewrite:        h.network.rewrite,
		ModifyResponse: h.network.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	h.proxy = httptest.NewServer(h.network.gate(proxy))
	t.Cleanup(h.proxy.Close)
	t.Cleanup(h.proxy.CloseClientConnections)
	address, err := url.Parse(h.proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.api = &client.Client{Console: address, HTTP: http.DefaultClient}
	h.installFeed()
	h.start()
	t.Cleanup(func() { h.end() })
	if err := h.api.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	h.automatic(operations.Automatic{OnArrival: []string{}, OnChange: []string{}}) // tests say what is scanned
	return h
}

// automatic sets which kinds of node are scanned by themselves.
func (h *house) automatic(kinds operations.Automatic) {
	h.t.Helper()
	var settings operations.Settings
	err := h.api.Do(h.t.Context(), http.MethodGet, "settings", nil, &settings)
	if err == nil {
		settings.Automatic = kinds
		err = h.api.Do(h.t.Context(), http.MethodPut, "settings", settings, nil)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (n *network) rewrite(r *httputil.ProxyRequest) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r.SetURL(n.target)
}

func (n *network) answer(r *http.Response) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.StatusCode == http.StatusConflict {
		n.conflicts++
	}
	if n.lose == "" || !strings.Contains(r.Request.URL.Path, n.lose) {
		return nil
	}
	n.lose = ""
	return errors.New("lost")
}

func (n *network) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upload := r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/wire/")
		n.mu.Lock()
		held, release, refuse, broken := n.held, n.release, n.refuse == r.Method, n.broken != "" && n.broken == r.URL.Path
		if upload {
			n.uploads++
			n.held = nil
		}
		if n.count != "" && strings.Contains(r.URL.Path, n.count) {
			n.counted++
		}
		n.mu.Unlock()
		if upload && held != nil {
			close(held)
			<-release
		}
		if refuse {
			http.Error(w, "<html>413 Request Entity Too Large</html>", http.StatusRequestEntityTooLarge)
			return
		}
		if broken {
			http.Error(w, "<html>502 Bad Gateway</html>", http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hold stops the next upload: held is closed once it has come.
func (n *network) hold() (held, release chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held, n.release = make(chan struct{}), make(chan struct{})
	return n.held, n.release
}

func (n *network) set(change func(*network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

func (n *network) uploaded() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.uploads
}

// installFeed gives the console a small feed before its first start.
func (h *house) installFeed() {
	h.t.Helper()
	store, err := feed.Open(filepath.Join(h.dir, "feed"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, err = store.Update(h.t.Context(), feed.Options{URL: h.published()})
	if err := errors.Join(err, store.Close()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) published() string {
	h.t.Helper()
	dir := filepath.Join(h.dir, "published")
	if err := os.CopyFS(filepath.Join(dir, "Debian"), os.DirFS("../feed/sample/Debian")); err != nil && !errors.Is(err, os.ErrExist) {
		h.t.Fatal(err)
	}
	return dir
}

// start starts the console over its data, at a new address behind the proxy.
func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- console.Run(ctx, console.Options{
			DataDir: h.dir, Listen: "127.0.0.1:0", FeedURL: h.published(), FeedInterval: time.Hour,
			AdminPassword: password, Version: "test", Out: io.Discard, Ready: func(url string) { ready <- url },
		})
	}()
	select {
	case address := <-ready:
		target, err := url.Parse(address)
		if err != nil {
			h.t.Error(err)
		}
		h.network.set(func(n *network) { n.target = target })
	case err := <-ended:
		h.t.Fatalf("console: %v", err)
	}
	h.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("console: %v", err)
		}
	})
}

func (h *house) enrolment() string {
	h.t.Helper()
	token, err := h.api.CreateToken(h.t.Context(), auth.Enrolment, "for a test")
	if err != nil {
		h.t.Fatal(err)
	}
	return token.Token
}

// machine is a host with an agent: a tree, and the agent's data.
type machine struct {
	h             *house
	root, dataDir string
	console       *url.URL
	runtimes      []string
	heartbeat     time.Duration
	settle        time.Duration
	labels        map[string]string
	cloud         func(context.Context) (cloud.Identity, bool)
}

func (h *house) machine() *machine {
	h.t.Helper()
	root := h.t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/host")); err != nil {
		h.t.Fatal(err)
	}
	return &machine{
		h: h, root: root, dataDir: filepath.Join(h.t.TempDir(), "agent"), console: h.api.Console,
		labels: map[string]string{"env": "test"},
	}
}

func (m *machine) options(enrolment string) agent.Options {
	return agent.Options{
		Console: m.console, EnrolmentToken: enrolment, HTTP: &http.Client{Transport: new(http.Transport)},
		Root: m.root, DataDir: m.dataDir, Labels: m.labels, Version: "test", Runtimes: m.runtimes, Cloud: m.cloud, Heartbeat: m.heartbeat, Settle: m.settle,
	}
}

// run runs the agent; stop ends it, and reports what it ended with.
func (m *machine) run(enrolment string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	o := m.options(enrolment)
	go func() { ended <- agent.Run(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			m.h.t.Errorf("agent: %v", err)
		}
		o.HTTP.CloseIdleConnections()
	})
	m.h.t.Cleanup(stop)
	return stop
}

// identity is what the agent keeps.
type identity struct{ Console, Key, Node, Credential string }

func (m *machine) identity() (id identity) {
	m.h.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dataDir, "agent.json"))
	if err != nil {
		m.h.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &id); err != nil {
		m.h.t.Fatal(err)
	}
	return id
}

// registered runs the agent until the console has its node.
func (m *machine) registered() (node string, stop func()) {
	m.h.t.Helper()
	before := len(m.h.nodes())
	stop = m.run(m.h.enrolment())
	eventually(m.h.t, "the agent registers", func() bool { return len(m.h.nodes()) > before })
	nodes := m.h.nodes()
	return nodes[len(nodes)-1].ID, stop
}

func (h *house) nodes() []fleet.Node {
	h.t.Helper()
	var all []fleet.Node
	for n, err := range client.List[fleet.Node](h.t.Context(), h.api, "nodes", nil) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func (h *house) startScan(node string) string {
	h.t.Helper()
	var started scan.Started
	if err := h.api.Do(h.t.Context(), http.MethodPost, "scans", scan.StartRequest{Nodes: []string{node}}, &started); err != nil {
		h.t.Fatal(err)
	}
	return started.Items[0].ID
}

func (h *house) scan(id string) (s scan.Scan) {
	h.t.Helper()
	if err := h.api.Do(h.t.Context(), http.MethodGet, "scans/"+id, nil, &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// finished waits for the end of a scan, which is to be in that state.
func (h *house) finished(id, state string) scan.Scan {
	h.t.Helper()
	eventually(h.t, "scan "+id+" ends", func() bool { return h.scan(id).Finished() })
	s := h.scan(id)
	if s.State != state {
		h.t.Errorf("scan is %s (%s); want %s", s.State, s.Error, state)
	}
	return s
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %v, and not: %s", patience, what)
		case <-tick.C:
		}
	}
}

// await waits for a channel to be closed.
func await(t *testing.T, what string, closed <-chan struct{}) {
	t.Helper()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatalf("waited %v, and not: %s", patience, what)
	}
}

func wantSays(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("error = %v; want it to say %q", err, says)
	}
}
