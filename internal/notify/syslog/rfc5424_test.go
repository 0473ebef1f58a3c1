package syslog_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// message is one by the grammar of RFC 5424, section 6, with one SD-ELEMENT. There are
// no types of the standard's own.
type message struct {
	facility, severity    int
	time                  time.Time
	host, app, proc, kind string
	id                    string
	params                map[string]string
	text                  string
}

var (
	header  = regexp.MustCompile(`^<(0|[1-9][0-9]{0,2})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)
	element = regexp.MustCompile(`^\[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] `)
	params  = regexp.MustCompile(` ([^=]+)="((?:[^"\\\]]|\\["\\\]])*)"`)
)

// parse reads a message, or fails the test.
func parse(t *testing.T, raw string) message {
	t.Helper()
	h := header.FindStringSubmatch(raw)
	if h == nil || !utf8.ValidString(raw) {
		t.Fatalf("no header in %q", raw)
	}
	priority, err := strconv.Atoi(h[1])
	if err != nil || priority > 191 {
		t.Fatalf("PRIVAL %s", h[1])
	}
	m := message{facility: priority / 8, severity: priority % 8, host: h[3], app: h[4], proc: h[5], kind: h[6], params: map[string]string{}}
	if m.time, err = time.Parse(time.RFC3339Nano, h[2]); err != nil || strings.Contains(h[2], ",") {
		t.Fatalf("TIMESTAMP %s: %v", h[2], err)
	}
	rest := raw[len(h[0]):]
	e := element.FindStringSubmatch(rest)
	if e == nil {
		t.Fatalf("no STRUCTURED-DATA in %q", rest)
	}
	m.id = e[1]
	for _, p := range params.FindAllStringSubmatch(e[2], -1) {
		if _, twice := m.params[p[1]]; twice {
			t.Errorf("%s stands twice", p[1])
		}
		m.params[p[1]] = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\]`, `]`).Replace(p[2])
	}
	text, ok := strings.CutPrefix(rest[len(e[0]):], "\ufeff")
	if !ok {
		t.Fatalf("no byte order mark in %q", rest)
	}
	m.text = text
	return m
}

// frames reads what RFC 5425, section 4.3, calls SYSLOG-FRAMEs.
func frames(t *testing.T, stream string) []string {
	t.Helper()
	var all []string
	for stream != "" {
		length, rest, _ := strings.Cut(stream, " ")
		n, err := strconv.Atoi(length)
		if err != nil || n > len(rest) || strconv.Itoa(n) != length {
			t.Fatalf("MSG-LEN %.20q, of %d bytes: %v", length, len(rest), err)
		}
		all, stream = append(all, rest[:n]), rest[n:]
	}
	return all
}

func (m message) String() string {
	return fmt.Sprintf("%d.%d %s %s %s %v %s", m.facility, m.severity, m.kind, m.app, m.id, m.params, m.text)
}
