package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"patrol/internal/client"
	"patrol/internal/platform/tlscert"
)

const password = "correct horse battery staple"

// process is a patrol that runs until its context ends.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan error
}

// start runs patrol with its log in a file; out, if not nil, takes what it prints.
func start(ctx context.Context, binary, log string, env []string, out io.Writer, args ...string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, binary, args...), log: log, ended: make(chan error, 1)}
	p.cmd.Env, p.cmd.Stderr, p.cmd.Stdout = append(os.Environ(), env...), file, out
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = 30 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		p.ended <- errors.Join(p.cmd.Wait(), file.Close())
		close(p.ended)
	}()
	return p, nil
}

func (p *process) wait() { <-p.ended }

// console is a process with its API.
type console struct {
	*process
	api                  *client.Client
	address, fingerprint string
}

// startConsole starts one on loopback, with TLS.
func startConsole(ctx context.Context, dir string, o options) (*console, error) {
	if _, err := tlscert.SelfSigned(filepath.Join(dir, "tls"), time.Now()); err != nil {
		return nil, err
	}
	read, write := io.Pipe()
	p, err := start(ctx, o.binary, logFile(dir, "console"), []string{"PATROL_ADMIN_PASSWORD=" + password, "GOMEMLIMIT=" + o.memory}, write,
		"console", "--data-dir", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--feed-url", filepath.Join(dir, "nowhere"),
		"--tls-cert", filepath.Join(dir, "tls", "tls.crt"), "--tls-key", filepath.Join(dir, "tls", "tls.key"), "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	c := &console{process: p}
	said := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(read)
		for c.fingerprint == "" && lines.Scan() {
			if address, ok := strings.CutPrefix(lines.Text(), "Patrol console on "); ok {
				c.address = address
			}
			if fingerprint, ok := strings.CutPrefix(lines.Text(), "Agents pin it with --fingerprint "); ok {
				c.fingerprint = fingerprint
			}
		}
		close(said)
		_, _ = io.Copy(io.Discard, read)
	}()
	select {
	case err := <-p.ended:
		return nil, fmt.Errorf("the console ended: %w; see %s", err, p.log)
	case <-said:
	}
	verify, err := tlscert.Pinned(c.fingerprint)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(c.address)
	if err != nil {
		return nil, err
	}
	c.api = &client.Client{Console: address, HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: verify, ForceAttemptHTTP2: true}}}
	return c, c.api.SignIn(ctx, "admin", password)
}

func startAgents(ctx context.Context, dir string, c *console, token string, o options) (*process, error) {
	return start(ctx, o.binary, logFile(dir, "agents"), []string{"PATROL_ENROLMENT_TOKEN=" + token}, nil,
		"simulate", "agents", "--console", c.address, "--fingerprint", c.fingerprint, "--count", strconv.Itoa(o.count),
		"--heartbeat", "30s", "--ramp", o.ramp.String(), "--log-level", "warn")
}

// metric is one measurement that the console makes of itself; zero for one that it
// has not made yet.
func (c *console) metric(ctx context.Context, name string) (value float64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.api.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET /metrics: %s", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, lines.Err()
}

// usage is what a process has taken of the machine.
type usage struct {
	at             time.Time
	processor      time.Duration // in its own code and in the kernel's for it
	resident, peak int64         // bytes
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on all that Go runs on.
const tick = 10 * time.Millisecond

// usage reads /proc (proc(5): utime and stime are fields 14 and 15 of stat).
func (p *process) usage() (u usage, err error) {
	u.at = time.Now()
	dir := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	// The second field is the name, in parentheses, and may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("read %s/stat: %w", dir, err)
		}
		u.processor += time.Duration(ticks) * tick
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		for name, into := range map[string]*int64{"VmRSS:": &u.resident, "VmHWM:": &u.peak} {
			if text, ok := strings.CutPrefix(line, name); ok {
				kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
				if err != nil {
					return u, fmt.Errorf("read %s/status: %w", dir, err)
				}
				*into = kib << 10
			}
		}
	}
	return u, nil
}
