package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
)

// The bounds that must hold.
const (
	slowest = 50 * time.Millisecond // p99
	largest = 400 << 20             // bytes of resident memory
)

// question is a list with the parameters that it is asked with, in turn.
type question struct {
	list       string
	parameters []string
}

// questions are what people ask. NODE, PACKAGE, VULNERABILITY, DECIDED (one that does
// not count somewhere) and COMPONENT stand for one after another that there is.
var questions = []question{
	{"nodes", []string{"", "kind=container", "kind=image", "label=env%3Dproduction", "label=env%3Dstaging&label=team%3Dteam-07&label=region%3Dregion-3", "label=env%3Dnone"}},
	{"nodes", []string{"last_scan=never", "last_scan=failed", "last_scan=ok&severity=malicious", "scanned_before=WEEK", "scanned_before=MONTH", "last_scan=never&state=inactive"}},
	{"nodes", []string{"severity=critical", "severity=malicious", "severity=malicious&label=team%3Dteam-01", "state=inactive", "state=inactive&severity=malicious", "q=web-", "q=cache-000", "q=nothing", "kind=host&state=active&q=worker-"}},
	{"occurrences", []string{"", "severity=critical", "severity=malicious", "kev=true", "fixable=false", "severity=low&kev=true&fixable=false", "severity=critical&fixable=true", "state=resolved", "state=all"}},
	{"occurrences", []string{"state=decided", "state=decided&severity=critical", "state=decided&kev=true&fixable=true", "vulnerability=DECIDED&state=decided", "vulnerability=DECIDED&state=all", "node=NODE&state=decided", "package=PACKAGE&state=decided"}},
	{"occurrences", []string{"vulnerability=VULNERABILITY", "vulnerability=VULNERABILITY&severity=critical", "vulnerability=VULNERABILITY&fixable=true", "vulnerability=VULNERABILITY&package=PACKAGE", "vulnerability=VULNERABILITY&state=all"}},
	{"occurrences", []string{"package=PACKAGE", "package=PACKAGE&severity=critical", "package=PACKAGE&kev=true", "package=openssl", "package=openssl&severity=malicious", "package=none"}},
	{"occurrences", []string{"node=NODE", "node=NODE&severity=critical", "node=NODE&package=openssl", "node=NODE&vulnerability=VULNERABILITY", "node=NODE&state=all"}},
	{"occurrences", []string{"opened_after=WEEK", "opened_before=MONTH", "opened_after=MONTH&opened_before=WEEK&severity=high", "opened_after=WEEK&kev=true", "opened_after=TOMORROW"}},
	{"vulnerabilities", []string{"", "severity=critical", "severity=unknown", "kev=true", "fixable=true", "severity=low&kev=true&fixable=false", "q=CVE-2021-", "q=CVE-2021-9001", "q=none", "sort=nodes", "sort=nodes&severity=malicious", "sort=first_seen", "state=all"}},
	{"vulnerabilities", []string{"state=decided", "state=decided&severity=critical", "state=decided&q=CVE-2021-"}},
	{"vulnerabilities/VULNERABILITY", []string{""}},
	{"decisions", []string{"", "status=risk_accepted", "state=expired", "state=all", "vulnerability=DECIDED"}},
	{"components", []string{"name=log4j", "name=log4j-core&match=contains", "name=lib", "name=openssl&match=exact", "name=react-1&match=prefix", "name=nowhere", "name=server&ecosystem=Maven", "name=a&version=1.2.0", "name=lib&version=9", "name=spring&ecosystem=Debian:12"}},
	{"components/COMPONENT/nodes", []string{""}},
	{"findings", []string{"node=NODE", "node=NODE&severity=critical", "scan=SCAN"}},
	{"occurrences", []string{"overdue=true", "overdue=true&severity=low", "overdue=false", "node=NODE&overdue=true"}},
	{"reports/trend", []string{"", "from=MONTH", "from=WEEK"}},
	{"reports/vulnerability-scans", []string{"", "state=failed", "worst=critical&node_kind=container", "node=NODE", "changed=true", "from=WEEK", "kind=rematch"}},
	{"findings", []string{"", "severity=critical", "severity=malicious", "vulnerability=VULNERABILITY"}},
}

// known are ids and names to ask for.
type known map[string][]string

func learn(ctx context.Context, d *db.DB) (known, error) {
	k := known{}
	for what, query := range map[string]string{
		"NODE":          `SELECT id FROM node WHERE inventory_id IS NOT NULL ORDER BY substr(id, 35), id LIMIT 50`,
		"SCAN":          `SELECT id FROM scan WHERE state = 'complete' ORDER BY substr(id, 35), id LIMIT 50`,
		"PACKAGE":       `SELECT package FROM (SELECT DISTINCT package FROM affected_package) AS p ORDER BY substr(package, 6), package LIMIT 50`,
		"VULNERABILITY": `SELECT name FROM affected ORDER BY substr(name, 9), name LIMIT 100`,
		"DECIDED":       `SELECT name FROM affected WHERE decided > 0 ORDER BY substr(name, 9), name LIMIT 50`,
		"COMPONENT":     `SELECT CAST(id AS TEXT) FROM component WHERE nodes > 0 ORDER BY id % 97, id LIMIT 100`,
	} {
		rows, err := d.Read().QueryContext(ctx, query)
		if k[what], err = db.All(rows, err, db.Value[string]); err != nil {
			return nil, err
		}
	}
	for what, ago := range map[string]int{"WEEK": 7, "MONTH": 30, "TOMORROW": -1} {
		k[what] = []string{time.Now().AddDate(0, 0, -ago).UTC().Format(time.RFC3339)}
	}
	return k, nil
}

func (k known) fill(text string, turn int) string {
	for what, choices := range k {
		text = strings.ReplaceAll(text, what, url.PathEscape(choices[turn%len(choices)]))
	}
	return text
}

// ask measures every question and prints its figures; slow tells whether a bound
// does not hold.
func ask(ctx context.Context, out io.Writer, o options, d *db.DB) (slow bool, err error) {
	k, err := learn(ctx, d)
	if err != nil {
		return false, err
	}
	authority := auth.NewService(d, time.Now)
	token, err := authority.IssueToken(ctx, auth.NewToken{Kind: auth.API, Name: "bench"})
	if err != nil {
		return false, err
	}
	nodes := fleet.NewService(d, authority, lease.NewSignals(), time.Now)
	mux := http.NewServeMux()
	api := rest.New(mux, "bench")
	nodes.Routes(api)
	findings := finding.NewService(d, nodes, time.Now)
	findings.Routes(api)
	scan.NewService(d, nodes, findings, nil, lease.NewSignals(), time.Now).Routes(api, nodes.SelectSeen)
	began := time.Now()
	if err := findings.CountTrend(ctx); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "  the trend of all days that are over, counted in %v\n", round(time.Since(began)))
	server := httptest.NewServer(authority.Require(mux, func(string) bool { return false }))
	defer server.Close()
	a := asker{server, token.Token, k}

	fmt.Fprintf(out, "  %-32s %6s %9s %9s %9s %9s  %s\n", "LIST", "ASKED", "CPU P99", "P50", "P99", "WORST", "PARAMETERS OF P99")
	for _, q := range questions {
		took, err := a.askOften(ctx, q, o)
		if err != nil {
			return false, err
		}
		worked := make([]time.Duration, len(took))
		for i, t := range took {
			worked[i] = t.worked
		}
		slices.SortFunc(took, func(x, y answer) int { return int(x.took - y.took) })
		p99 := took[len(took)*99/100]
		slices.SortFunc(worked, func(x, y time.Duration) int { return int(x - y) })
		mark := ""
		if p99.took > slowest {
			slow, mark = true, "  OVER "+slowest.String()
		}
		fmt.Fprintf(out, "  %-32s %6d %9v %9v %9v %9v  %s%s\n", q.list, len(took), round(worked[len(worked)*99/100]), round(took[len(took)/2].took), round(p99.took), round(took[len(took)-1].took), p99.what, mark)
	}
	now, peak := memory()
	fmt.Fprintf(out, "  memory: %d MB, at most %d MB (bound %d MB)\n", now>>20, peak>>20, largest>>20)
	return slow || peak > largest, nil
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// answer is how long one page took.
type answer struct {
	what string
	took time.Duration
	// worked is what the process used of the processors meanwhile, client and server:
	// it tells of the work even on a machine that others use, if one client asks.
	worked time.Duration
}

type asker struct {
	server *httptest.Server
	token  string
	known
}

// askOften asks a question as often as told, from several clients at once, each
// page and some that follow it.
func (a asker) askOften(ctx context.Context, q question, o options) (all []answer, err error) {
	var mutex sync.Mutex
	var clients sync.WaitGroup
	for client := range o.clients {
		clients.Go(func() {
			for turn := client; turn < o.rounds; turn += o.clients {
				parameters := q.parameters[turn%len(q.parameters)]
				path := "/api/v1/" + a.fill(q.list, turn/len(q.parameters)) + "?" + a.fill(parameters, turn/len(q.parameters))
				pages, failed := a.pages(ctx, path, parameters, 1+turn%3)
				mutex.Lock()
				if failed != nil {
					err = failed
				}
				all = append(all, pages...)
				mutex.Unlock()
			}
		})
	}
	clients.Wait()
	return all, err
}

// pages asks for up to so many pages.
func (a asker) pages(ctx context.Context, path, parameters string, most int) (answers []answer, err error) {
	cursor := ""
	for range most {
		began, used := time.Now(), processorTime()
		next, err := a.page(ctx, path+cursor)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer{parameters, time.Since(began), processorTime() - used})
		if next == "" {
			break
		}
		cursor = "&cursor=" + url.QueryEscape(next)
	}
	return answers, nil
}

func (a asker) page(ctx context.Context, path string) (next string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server.URL+path, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.server.Client().Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %d: %s", path, resp.StatusCode, body)
	}
	var page struct{ Next string }
	return page.Next, json.Unmarshal(body, &page)
}

// processorTime is what this process has used of the processors.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// memory is what the process has resident, now and at most, in bytes, as Linux
// tells (proc(5), /proc/pid/status).
func memory() (now, peak int) {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		for name, into := range map[string]*int{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				_, _ = fmt.Sscanf(rest, "%d", into)
				*into <<= 10
			}
		}
	}
	return now, peak
}
