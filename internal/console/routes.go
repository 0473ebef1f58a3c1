package console

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/netip"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/operations"
	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/event"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/trace"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/web"
)

// API mounts the routes of every room on a mux and returns their description.
func (c *Console) API(mux humago.Mux, secure bool) huma.API {
	api := rest.New(mux, c.options.Version)
	c.auth.Routes(api, secure)
	c.audit.Routes(api)
	c.fleet.Routes(api)
	c.scans.Routes(api, c.fleet.SelectSeen)
	c.findings.Routes(api)
	c.schedules.Routes(api)
	c.notify.Routes(api)
	c.feed.Routes(api)
	c.events.Routes(api)
	c.operations.Routes(api)
	return api
}

// routes is a mux that remembers what was mounted on it, so that a test can ask
// for each.
type routes struct {
	*http.ServeMux
	patterns []string
}

func newRoutes() *routes { return &routes{ServeMux: http.NewServeMux()} }

func (r *routes) Handle(pattern string, handler http.Handler) {
	r.patterns = append(r.patterns, pattern)
	r.ServeMux.Handle(pattern, handler)
}

func (r *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r.Handle(pattern, http.HandlerFunc(handler))
}

// handler is everything that the console answers.
func (c *Console) handler(secure bool) http.Handler {
	handler, _ := c.mount(secure)
	return handler
}

// mount returns the handler with the patterns of its routes.
func (c *Console) mount(secure bool) (http.Handler, []string) {
	mux := newRoutes()
	c.API(mux, secure)
	c.fleet.Wire(mux)
	c.scans.Wire(mux)
	mux.Handle("GET /api/docs/", docs())
	mux.Handle("GET /api/docs", http.RedirectHandler("/api/docs/", http.StatusMovedPermanently))

	root := newRoutes()
	authenticated := c.auth.Require(problems(mux.ServeMux), open)
	root.ServeMux.Handle("/api/", sameOrigin(authenticated))
	root.ServeMux.Handle("/wire/", authenticated)
	root.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	root.HandleFunc("GET /readyz", c.operations.ServeReady)
	root.Handle("GET /metrics", c.toViewers(c.metrics.Handler()))
	root.Handle("/", ui(web.Dist()))
	route := func(r *http.Request) string {
		if _, pattern := mux.Handler(r); pattern != "" {
			return pattern
		}
		if _, pattern := root.Handler(r); pattern != "/api/" && pattern != "/wire/" {
			return pattern
		}
		return "unknown"
	}
	handler := logs.Requests(c.metrics.Measure(guarded(c.options.TrustedProxies.Addressed(root)), route))
	if trace.Enabled(c.options.OTLPEndpoint) {
		handler = trace.Requests(handler, route, lasts)
	}
	return handler, append(mux.patterns, root.patterns...)
}

// toViewers lets callers with the role viewer through, and whoever asks from this
// machine: what measures it needs no token.
func (c *Console) toViewers(next http.Handler) http.Handler {
	withToken := c.auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !access.From(r.Context()).Role.Includes(access.Viewer) {
			rest.WriteProblem(w, http.StatusForbidden, "this needs the role viewer")
			return
		}
		next.ServeHTTP(w, r)
	}), func(string) bool { return false })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && from.Addr().Unmap().IsLoopback() {
			next.ServeHTTP(w, r)
			return
		}
		withToken.ServeHTTP(w, r)
	})
}

// open tells which paths need no token.
func open(p string) bool {
	switch p {
	case "/api/v1/session", "/api/v1/session/methods", "/api/v1/session/invitation", "/api/v1/session/oidc", "/api/v1/session/oidc/callback",
		"/api/v1/openapi.json", "/api/docs":
		return true
	default:
		return strings.HasPrefix(p, "/api/docs/")
	}
}

// ui serves the built UI; every path that is no file of it is a page of it.
func ui(files fs.FS) http.Handler {
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			rest.WriteProblem(w, http.StatusMethodNotAllowed, "the UI is only read")
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if info, err := fs.Stat(files, name); err == nil && !info.IsDir() {
			if strings.HasPrefix(name, "assets/") { // their names are hashes of their contents
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			server.ServeHTTP(w, r)
			return
		}
		if !strings.Contains(r.Header.Get("Accept"), "text/html") { // a script that took a wrong path
			rest.WriteProblem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
			return
		}
		if _, err := fs.Stat(files, "index.html"); err != nil {
			http.Error(w, "The UI is not built into this binary: run make build. The API is at /api/docs.", http.StatusNotFound)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, "index.html")
	})
}

// docs serves Swagger UI from the binary.
func docs() http.Handler {
	const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Patrol API</title>
<link rel="stylesheet" href="swagger-ui.css"></head><body><div id="swagger-ui"></div>
<script src="swagger-ui-bundle.js"></script><script src="start.js"></script></body></html>`
	const start = `SwaggerUIBundle({url: "/api/v1/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});`
	mux := http.NewServeMux()
	mux.Handle("/api/docs/", http.StripPrefix("/api/docs", statigz.FileServer(static.FS)))
	serve := func(pattern, kind, text string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(text))
		})
	}
	serve("/api/docs/{$}", "text/html; charset=utf-8", page)
	serve("/api/docs/start.js", "text/javascript; charset=utf-8", start)
	return mux
}

// Describe returns the OpenAPI document, without an open console: the UI's types
// are generated from it.
func Describe(mux humago.Mux) ([]byte, error) {
	c := &Console{
		auth: new(auth.Service), audit: new(audit.Log), fleet: new(fleet.Service), scans: new(scan.Service),
		findings: new(finding.Service), schedules: new(schedule.Service), feed: new(feed.Service), events: new(event.Log),
		operations: new(operations.Service),
	}
	text, err := json.MarshalIndent(c.API(mux, true).OpenAPI(), "", "  ")
	return append(text, '\n'), err
}
