package main_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// TestMainJob is what make run does, on the fixture: no step by hand from an
// empty directory to findings in the API, on the command line and on a page.
func TestMainJob(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	// The feed is nowhere: the machine has no network.
	_, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Findings: ",
		"quickstart", "--data-dir", dir, "--listen", "127.0.0.1:0", "--root", fixture, "--feed-url", filepath.Join(dir, "nowhere"))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("findings were visible after %v; a minute is the bound", took)
	}
	page, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: page.ResolveReference(&url.URL{Path: "/"}), HTTP: http.DefaultClient}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	token, err := c.CreateToken(t.Context(), "api", "test")
	if err != nil {
		t.Fatal(err)
	}

	t.Run("api", func(t *testing.T) { checkAPI(t, c) })
	t.Run("command line", func(t *testing.T) {
		out, errs, code := run(t, "findings", "list", "--console", c.Console.String(), "--token", token.Token, "--output", "json")
		if code != 0 || len(pairs(decode[[]finding.Finding](t, out))) != fixturePairs {
			t.Errorf("patrol findings list exited %d with %d pairs: %s", code, len(pairs(decode[[]finding.Finding](t, out))), errs)
		}
	})
	t.Run("page", func(t *testing.T) {
		openedEarlier(t, dir, 365*24*time.Hour) // so that something is overdue
		command(t, "../../web", []string{
			"PATROL_URL=" + c.Console.String(), "PATROL_USERNAME=admin", "PATROL_PASSWORD=" + password,
			"PATROL_EXPECT_VULNERABILITY=CVE-2024-28757", "CHROMIUM=" + tool(t, "chromium"),
		}, "npm", "run", "e2e", "--", "--project", "scans")
	})
	t.Run("example", func(t *testing.T) {
		out := command(t, "../..", []string{"PATROL_CONSOLE=" + strings.TrimSuffix(c.Console.String(), "/"), "PATROL_TOKEN=" + token.Token}, "examples/scan-everything.sh")
		if !strings.Contains(out, "scanning 1 nodes") || !strings.Contains(out, "CVE-") {
			t.Errorf("the example printed:\n%s", out)
		}
	})
	t.Run("documentation", func(t *testing.T) {
		path := "PATH=" + filepath.Dir(binary(t)) + string(os.PathListSeparator) + os.Getenv("PATH")
		for _, document := range []string{"automating-scans.md", "reports.md"} {
			script := strings.ReplaceAll(commands(t, "../../docs/"+document), "http://127.0.0.1:8080", strings.TrimSuffix(c.Console.String(), "/"))
			command(t, "../..", []string{"PATROL_TOKEN=" + token.Token, "TMPDIR=" + dir, path}, "bash", "-euo", "pipefail", "-c", script)
		}
	})
}

// openedEarlier has all occurrences of the console over a directory be opened so
// much earlier.
func openedEarlier(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(dir, "patrol.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE occurrence SET opened_at = opened_at - $1`, by.Microseconds())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFirstScanWaitsForTheFeed: a console that was given a feed matches its first
// scan against that, not against the sample.
func TestFirstScanWaitsForTheFeed(t *testing.T) {
	dir := t.TempDir()
	// The sample is laid out as OSV publishes.
	_, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Findings: ",
		"quickstart", "--data-dir", dir, "--listen", "127.0.0.1:0", "--root", fixture, "--feed-url", "../../internal/feed/sample")
	page, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: page.ResolveReference(&url.URL{Path: "/"}), HTTP: http.DefaultClient}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	for _, s := range all[scan.Scan](t, c, "scans", nil) {
		if s.Feed == nil || s.Feed.Sample {
			t.Errorf("scan %s was matched against %+v", s.ID, s.Feed)
		}
	}
}

// TestQuickstartOfWhatIsPaused: somebody's pause is kept, and said; the findings are
// there all the same.
func TestQuickstartOfWhatIsPaused(t *testing.T) {
	dir := t.TempDir()
	args := []string{"quickstart", "--data-dir", dir, "--listen", "127.0.0.1:0", "--root", fixture, "--feed-url", filepath.Join(dir, "nowhere")}
	first, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	for _, s := range all[schedule.Schedule](t, c, "schedules", nil) {
		yes := true
		if err := c.Do(t.Context(), http.MethodPatch, "schedules/"+s.ID, schedule.Change{Enabled: &yes}, nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), http.MethodPost, "schedules/"+s.ID+"/pause", schedule.PauseRequest{Reason: "migration"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	first.kill(t)

	var said []string
	_, address := startTelling(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Findings: ", func(line string) { said = append(said, line) }, args...)
	page, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if out := strings.Join(said, "\n"); !strings.Contains(out, "is paused (migration)") {
		t.Errorf("it said %q; want that the schedule is paused, and why", out)
	}
	c.Console = page.ResolveReference(&url.URL{Path: "/"})
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	for _, s := range all[schedule.Schedule](t, c, "schedules", nil) {
		if s.Pause == nil || s.LastRun != nil {
			t.Errorf("schedule = %+v; want that it stays paused", s)
		}
	}
}

func checkAPI(t *testing.T, c *client.Client) {
	nodes := all[fleet.Node](t, c, "nodes", nil)
	if len(nodes) != 1 || nodes[0].Distribution.ID != "debian" || nodes[0].State != fleet.Active || nodes[0].Counts.Unknown != fixturePairs {
		t.Errorf("nodes = %+v", nodes)
	}
	// The machine is scanned when it arrives. The schedule that fires then finds nothing
	// new, or finds it being scanned.
	scans := all[scan.Scan](t, c, "scans", nil)
	if n := len(scans); n == 2 && (scans[0].Trigger != scan.BySchedule || scans[0].Schedule == nil || scans[0].State != scan.Complete || scans[0].Opened != 0) {
		t.Errorf("scan = %+v", scans[0])
	}
	if n := len(scans); n != 1 && n != 2 || scans[n-1].State != scan.Complete || scans[n-1].Trigger != scan.OnArrival || scans[n-1].Components != 345 {
		t.Fatalf("scans = %+v", scans)
	}
	scans = scans[len(scans)-1:]
	if s := scans[0]; s.Feed == nil || !s.Feed.Sample || s.Counts.Unknown != fixturePairs || s.Opened != fixturePairs {
		t.Errorf("scan = %+v", s)
	}
	if found := pairs(all[finding.Finding](t, c, "findings", url.Values{"scan": {scans[0].ID}, "limit": {"7"}})); len(found) != fixturePairs {
		t.Errorf("%d pairs found, want %d", len(found), fixturePairs)
	}
	if open := all[finding.Occurrence](t, c, "occurrences", nil); len(open) != fixturePairs || open[0].OpenedBecause != finding.FirstScan {
		t.Errorf("%d occurrences are open, want %d", len(open), fixturePairs)
	}
	counted := 0
	for _, v := range all[finding.Vulnerability](t, c, "vulnerabilities", url.Values{"limit": {"7"}}) {
		if v.AffectedNodes != 1 {
			t.Errorf("%s affects %d nodes, of one", v.Name, v.AffectedNodes)
		}
		counted += v.AffectedPackages
	}
	if counted != fixturePairs {
		t.Errorf("vulnerabilities are in %d packages, want %d", counted, fixturePairs)
	}
	if found := all[fleet.InstalledComponent](t, c, "components", url.Values{"limit": {"50"}}); len(found) != 345 || found[0].Nodes != 1 {
		t.Errorf("%d components are installed, want 345", len(found))
	}
	var known feed.Overview
	if err := c.Do(t.Context(), http.MethodGet, "feed", nil, &known); err != nil {
		t.Fatal(err)
	}
	if !known.Sample || known.AsOf.IsZero() || known.LastAttempt == nil || !strings.Contains(known.LastAttempt.Error, "nowhere") {
		t.Errorf("feed = %+v", known)
	}
}

// pairs are the distinct vulnerabilities in packages.
func pairs(findings []finding.Finding) map[[2]string]bool {
	found := make(map[[2]string]bool)
	for _, f := range findings {
		found[[2]string{f.Package, f.Vulnerability}] = true
	}
	return found
}

// command runs another program and returns what it printed.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make test installs it", err)
	}
	return path
}

// commands are the shell blocks of a document, in order.
func commands(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(text), "```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no shell block", path)
	}
	return strings.Join(blocks, "\n")
}
