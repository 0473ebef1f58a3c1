package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"patrol/internal/client"
	"patrol/internal/notify"
	"patrol/internal/platform/auth"
)

// receiver is a far side that takes what it is sent, or does not.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	status int
	bodies []string
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil && r.status/100 == 2 {
			r.bodies = append(r.bodies, string(body))
		}
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, http.StatusText(r.status))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// has tells whether something was taken that holds all these texts.
func (r *receiver) has(texts ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.bodies, func(body string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(body, text) })
	})
}

// count is how much was taken.
func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

// asker asks a console on the command line.
type asker struct {
	t *testing.T
	c *client.Client
}

func (a asker) ask(args ...string) (out, errs string, code int) {
	a.t.Helper()
	return run(a.t, append(args, "--console", a.c.Console.String(), "--token", a.c.Token)...)
}

func (a asker) patrol(args ...string) string {
	a.t.Helper()
	out, errs, code := a.ask(args...)
	if code != 0 {
		a.t.Fatalf("patrol %s: exit %d, %s", strings.Join(args, " "), code, errs)
	}
	return out
}

// refused wants a command to fail, and to say why.
func (a asker) refused(says string, args ...string) {
	a.t.Helper()
	if out, errs, code := a.ask(args...); code != 1 || !strings.Contains(errs, says) {
		a.t.Errorf("patrol %s: exit %d, %s%s; want it to say %q", strings.Join(args, " "), code, out, errs, says)
	}
}

// file writes a file and returns where it is.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value.txt")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

func TestNotificationsOnTheCommandLine(t *testing.T) {
	far, dir := receive(t), t.TempDir()
	_, c := console(t, filepath.Join(dir, "console"), filepath.Join(dir, "nowhere"), "127.0.0.1:0", "--outgoing-allow", "127.0.0.0/8")
	a := asker{t, c}
	address := far.URL + "/hidden-path"
	out := a.patrol("integrations", "add", "http", "--name", "hook", "--set-file", "url="+file(t, address), "--set-file", "signing_secret="+file(t, signingSecret), "--set", "method=PUT", "--per-minute", "600")
	for _, args := range [][]string{{"list"}, {"list", "-o", "json"}, {"list", "-o", "yaml"}, {"get", "hook"}, {"get", "hook", "-o", "json"}, {"test", "hook"}, {"test", "hook", "-o", "json"}} {
		out += a.patrol(append([]string{"integrations"}, args...)...)
	}
	if strings.Contains(out, "hidden-path") || strings.Contains(out, signingSecret) || strings.Contains(out, strings.TrimPrefix(signingSecret, "whsec_")) {
		t.Errorf("a secret is shown:\n%s", out)
	}
	for _, want := range []string{"signing_secret is set, and secret", "method = PUT", "At most 600", "untried", "PUT ●●●●", "204 No Content", "It was taken", `"ok": true`} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q in\n%s", want, out)
		}
	}
	if !far.has("Test of Patrol") {
		t.Error("the test did not arrive")
	}
	t.Run("kinds", func(t *testing.T) { a := asker{t, c}; a.kinds() })
	t.Run("mistakes", func(t *testing.T) { a := asker{t, c}; a.mistakes() })
	t.Run("edit", func(t *testing.T) { a := asker{t, c}; a.edits() })
	t.Run("delivery", func(t *testing.T) { a := asker{t, c}; a.deliveries(far) })
	t.Run("rotate", func(t *testing.T) {
		a := asker{t, c}
		if out := a.patrol("secrets", "rotate"); !strings.Contains(out, "secrets of 2 integrations") {
			t.Errorf("rotate says %s", out)
		}
		a.patrol("integrations", "test", "hook")
	})
	t.Run("documentation", func(t *testing.T) {
		token, err := c.CreateToken(t.Context(), auth.API, "test")
		if err != nil {
			t.Fatal(err)
		}
		path := "PATH=" + filepath.Dir(binary(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
		script := strings.NewReplacer("http://127.0.0.1:8080", strings.TrimSuffix(c.Console.String(), "/"), "https://hooks.example.com", far.URL).Replace(commands(t, "../../docs/notifications.md"))
		command(t, dir, []string{"PATROL_TOKEN=" + token.Token, path}, "bash", "-euo", "pipefail", "-c", script)
	})
}

func (a asker) kinds() {
	if out := a.patrol("integrations", "kinds"); !strings.Contains(out, "slack") || !strings.Contains(out, "PagerDuty") {
		a.t.Errorf("the kinds are\n%s", out)
	}
	if out := a.patrol("integrations", "kinds", "http"); !strings.Contains(out, "signing_secret") || !strings.Contains(out, "POST, PUT") {
		a.t.Errorf("the fields are\n%s", out)
	}
	if kind := decode[notify.KindInfo](a.t, a.patrol("integrations", "kinds", "jira", "-o", "json")); !kind.Tracks || len(kind.Fields) == 0 {
		a.t.Errorf("kind = %+v", kind)
	}
}

func (a asker) mistakes() {
	const secret = "whsec_notforyoureyes"
	a.refused(`"name" not set`, "integrations", "add", "http")
	a.refused(`"pigeon" is none of`, "integrations", "add", "pigeon", "--name", "x")
	a.refused("settings.url", "integrations", "add", "http", "--name", "x")
	a.refused("settings.method", "integrations", "add", "http", "--name", "x", "--set", "url=https://hooks.example.com", "--set", "method=SEND")
	a.refused("settings.feathers", "integrations", "add", "http", "--name", "x", "--set", "url=https://hooks.example.com", "--set", "feathers=2")
	a.refused("already", "integrations", "add", "http", "--name", "hook", "--set", "url=https://hooks.example.com")
	a.refused("given twice", "integrations", "add", "http", "--name", "x", "--set", "url=a", "--set", "url=b")
	a.refused("no such file", "integrations", "add", "http", "--name", "x", "--set-file", "url=/no/such/file")
	a.refused("the standard input holds one", "integrations", "add", "http", "--name", "x", "--set-file", "url=-", "--set-file", "headers=-")
	a.refused("there is no kind", "integrations", "kinds", "pigeon")
	a.refused("there is no integration", "integrations", "test", "nobody")
	if _, errs, code := a.ask("integrations", "add", "http", "--name", "x", "--set", secret); code != 1 || strings.Contains(errs, secret) {
		a.t.Errorf("exit %d: %s", code, errs)
	}
	rule := []string{"rules", "add", "--name", "x", "--type", "occurrence.opened"}
	a.refused("name", "rules", "add", "--type", "scan.failed")
	a.refused("types", "rules", "add", "--name", "x", "--type", "scan.feiled")
	a.refused("types", "rules", "add", "--name", "x")
	a.refused("when", append(rule, "--when", "node.kin")...)
	a.refused("--to", append(rule, "--to", "nobody")...)
	a.refused("title", append(rule, "--title", "{{.Titel}}")...)
	a.refused("is not written as", append(rule, "--quiet", "weekend 22:00-07:00")...)
	a.refused("quiet[0].from", append(rule, "--quiet", "mon 25:00-07:00")...)
	a.refused(`none of "New critical`, "rules", "add", "--ready", "Agent gome")
	a.refused("there is no rule", "rules", "get", "nobody")
	a.refused("there is no delivery", "deliveries", "get", "nobody")
	a.refused("state", "deliveries", "list", "--state", "lost")
}

// edits changes an integration and rules: what is not given stays.
func (a asker) edits() {
	a.patrol("integrations", "add", "http", "--name", "second", "--set", "url=https://hooks.example.com", "--disabled")
	edited := decode[notify.Integration](a.t, a.patrol("integrations", "edit", "second", "--set", "method=PUT", "--per-minute", "5", "--enable", "--name", "other", "-o", "json"))
	if !edited.Enabled || edited.Name != "other" || edited.PerMinute != 5 || edited.Settings["method"] != "PUT" || !slices.Equal(edited.Secrets, []string{"url"}) {
		a.t.Errorf("edited = %+v", edited)
	}
	if edited = decode[notify.Integration](a.t, a.patrol("integrations", "edit", "other", "--disable", "--set", "method=", "-o", "json")); edited.Enabled || edited.PerMinute != 5 || len(edited.Settings) != 0 {
		a.t.Errorf("edited = %+v", edited)
	}
	made := decode[notify.Rule](a.t, a.patrol("rules", "add", "--ready", "Agent gone", "--to", "hook", "--to", "other", "--quiet", "fri-mon 22:00-07:00", "--quiet", "12:00-13:00", "-o", "json"))
	if !made.Enabled || !made.Resolved || len(made.Integrations) != 2 || len(made.Quiet) != 2 || !slices.Equal(made.Quiet[0].Days, []string{"fri", "sat", "sun", "mon"}) || made.Quiet[1].To != "13:00" {
		a.t.Errorf("rule = %+v", made)
	}
	if out := a.patrol("rules", "get", "Agent gone"); !strings.Contains(out, "hook, other") || !strings.Contains(out, "fri,sat,sun,mon 22:00-07:00; 12:00-13:00") {
		a.t.Errorf("the rule is\n%s", out)
	}
	changed := decode[notify.Rule](a.t, a.patrol("rules", "edit", "Agent gone", "--to", "hook", "--quiet", "", "--limit", "7", "--resolved=false", "--disable", "-o", "json"))
	if changed.Enabled || changed.Resolved || changed.Limit != 7 || len(changed.Quiet) != 0 || len(changed.Integrations) != 1 || !slices.Equal(changed.Types, made.Types) || changed.ID != made.ID {
		a.t.Errorf("rule = %+v", changed)
	}
	if out := a.patrol("rules", "edit", made.ID, "--to", "", "--enable"); !strings.Contains(out, "tells nobody") {
		a.t.Errorf("edit says %s", out)
	}
	if out := a.patrol("rules", "preview", "--ready", "Feed stale", "--title", "{{upper .Type}}"); !strings.Contains(out, "FEED.STALE") {
		a.t.Errorf("the preview is\n%s", out)
	}
	if out := a.patrol("rules", "types") + a.patrol("rules", "ready") + a.patrol("rules", "list"); !strings.Contains(out, "occurrence.overdue") || !strings.Contains(out, "Heartbeat") || !strings.Contains(out, "Agent gone") {
		a.t.Errorf("the lists are\n%s", out)
	}
	a.patrol("rules", "delete", "Agent gone")
	a.refused("there is no rule", "rules", "delete", "Agent gone")
}

// deliveries has a scan find something, which goes wrong at the far side, and is sent
// again.
func (a asker) deliveries(far *receiver) {
	t := a.t
	far.answer(http.StatusInternalServerError)
	a.refused("500 Internal Server Error", "integrations", "test", "hook")
	far.answer(http.StatusUnprocessableEntity) // it will not ever take it
	a.patrol("rules", "add", "--name", "All new", "--type", "occurrence.opened", "--group-by", "scan", "--when", `node.labels["team"] == "web"`, "--to", "hook",
		"--title", "{{.Total}} found", "--text", "{{range first 2 .Findings}}{{.Vulnerability}} {{end}}")
	sbom := filepath.Join(t.TempDir(), "sbom.cdx.json")
	if _, errs, code := run(t, "scan", "dir:"+fixture, "--data-dir", t.TempDir(), "--output", "cyclonedx="+sbom); code != 0 {
		t.Fatal(errs)
	}
	a.patrol("sboms", "upload", sbom, "--name", "registry.example/web:1", "--label", "team=web", "--wait")
	var dead []notify.Delivery
	eventually(t, "a dead delivery", func() bool {
		dead = decode[[]notify.Delivery](t, a.patrol("deliveries", "list", "--integration", "hook", "--rule", "All new", "--state", "dead", "-o", "json"))
		return len(dead) == 1
	})
	if out := a.patrol("rules", "preview", "--name", "x", "--type", "occurrence.opened", "--group-by", "scan"); !strings.Contains(out, "1 notifications") || !strings.Contains(out, "on registry.example/web:1") {
		t.Errorf("the preview is\n%s", out)
	}
	if out := a.patrol("deliveries", "get", dead[0].ID); !strings.Contains(out, "is dead: 166 found") || !strings.Contains(out, "Attempt 1 at") || !strings.Contains(out, "422") || strings.Contains(out, "hidden-path") {
		t.Errorf("the delivery is\n%s", out)
	}
	if out := a.patrol("integrations", "get", "hook"); !strings.Contains(out, "failing since") || !strings.Contains(out, "1 were given up") {
		t.Errorf("the integration is\n%s", out)
	}
	far.answer(http.StatusNoContent)
	a.patrol("deliveries", "redeliver", dead[0].ID)
	eventually(t, "the delivery", func() bool { return far.has("166 found", "CVE-") })
	eventually(t, "its end", func() bool {
		out := a.patrol("deliveries", "list", "--limit", "1")
		return strings.Contains(out, "166 found") && strings.Contains(out, "hook") && strings.Contains(out, "delivered")
	})
	a.refused("is delivered, not dead", "deliveries", "redeliver", dead[0].ID)
	a.patrol("integrations", "redeliver", "hook")
	a.refused("rules tell it: All new", "integrations", "delete", "hook")
}
