// Package notifytest has what tests of the kinds of integration share: notifications
// of every action, and a guard that lets them talk to servers of their own.
package notifytest

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
	"patrol/internal/platform/problem"
)

// Guard allows connections to this machine.
func Guard() *outgoing.Guard {
	return outgoing.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
}

// Open returns the sender of a kind with these settings.
func Open(t testing.TB, kind notify.Kind, settings notify.Settings) notify.Sender {
	t.Helper()
	sender, err := kind.Prepare(settings, Guard())
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

// Send returns the ref of what is sent.
func Send(t testing.TB, sender notify.Sender, n notify.Notification) string {
	t.Helper()
	ref, err := sender.Send(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// Refuses wants settings to be refused for one field.
func Refuses(t *testing.T, kind notify.Kind, settings notify.Settings, field string) {
	t.Helper()
	_, err := kind.Prepare(settings, Guard())
	var wrong *problem.Error
	if !errors.As(err, &wrong) || wrong.Field != "settings."+field {
		t.Errorf("%s with %v: %v; want %s to be refused", kind.Name, settings, err, field)
	}
}

// Failure returns the failure that an error is.
func Failure(t *testing.T, err error) *notify.Failure {
	t.Helper()
	var f *notify.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v is no failure", err)
	}
	return f
}

var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// Opened is a notification of a vulnerability that came to two nodes.
func Opened() notify.Notification {
	web := notify.Node{ID: "01990000-0000-7000-8000-000000000001", Kind: "host", Name: "web-1", Labels: map[string]string{"env": "prod"}}
	shop := notify.Node{ID: "01990000-0000-7000-8000-000000000002", Kind: "container", Name: "shop <&> \"quoted\"", Labels: map[string]string{}}
	finding := notify.Finding{
		Occurrence: 17, Vulnerability: "CVE-2099-0001", Summary: "Heap overflow in openssl <script>", Severity: "critical", Score: 9.8, KEV: true, EPSS: 0.91,
		Ecosystem: "Debian", Package: "openssl", Fixable: true, Fixed: []string{"3.0.15-1~deb12u1"}, OpenedAt: noon, Because: "disclosed", Node: web,
	}
	other := finding
	other.Occurrence, other.Node = 18, shop
	return notify.Notification{
		ID: "01990000-0000-7000-8000-00000000000a", Key: "new-critical/CVE-2099-0001", Action: notify.Opened, Rule: "New critical or exploited", Type: "occurrence.opened",
		Severity: "critical", Title: "CVE-2099-0001 (critical) in openssl on 2 nodes",
		Text: "Heap overflow in openssl <script>\nExploited, by CISA's catalogue. Fixed in 3.0.15-1~deb12u1.",
		URL:  "https://patrol.example/vulnerabilities/CVE-2099-0001", Time: noon,
		Facts:    []notify.Fact{{Name: "Severity", Value: "critical"}, {Name: "Package", Value: "openssl"}, {Name: "Nodes", Value: "2"}},
		Findings: []notify.Finding{finding, other}, Total: 2, Nodes: 2,
		Data: json.RawMessage(`{"opened":2}`),
	}
}

// Changed is a later one of the same key, when a third node has it.
func Changed() notify.Notification {
	n := Opened()
	n.ID, n.Action, n.Total, n.Nodes = "01990000-0000-7000-8000-00000000000b", notify.Changed, 3, 3
	n.Title = "CVE-2099-0001 (critical) in openssl on 3 nodes"
	return n
}

// Resolved ends what Opened opened; ref is what that returned.
func Resolved(ref string) notify.Notification {
	n := Opened()
	n.ID, n.Action, n.Type, n.Ref = "01990000-0000-7000-8000-00000000000c", notify.Resolved, "occurrence.resolved", ref
	n.Title, n.Text = "Resolved: CVE-2099-0001 in openssl", "No node has it any more."
	return n
}

// Told is a notification that is about no finding.
func Told() notify.Notification {
	return notify.Notification{
		ID: "01990000-0000-7000-8000-00000000000d", Key: "feed-stale/feed", Action: notify.Told, Rule: "Feed stale", Type: "feed.stale", Severity: "high",
		Title: "The feed is stale", Text: "It was last updated two days ago.", Time: noon,
		Facts: []notify.Fact{{Name: "Since", Value: "2026-08-19"}}, Findings: []notify.Finding{}, Data: json.RawMessage(`{"stale_since":"2026-08-19T12:00:00Z"}`),
	}
}
