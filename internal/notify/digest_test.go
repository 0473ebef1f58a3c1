package notify_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
)

// All that happened is told together when it is time, in the rule's zone.
func TestDigest(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak, slip)
		d := about(h.integration("chat", "talk"), h.integration("tracker", "desk"))
		d.Digest, d.TimeZone, d.Resolved = "0 8 * * *", "Asia/Tokyo", true // 23:00 UTC
		id := h.rule(d)
		if at := h.getRule(id).DigestAt; !at.Equal(noon.Add(11 * time.Hour)) {
			t.Errorf("the first is due at %v", at)
		}
		web := h.node("web-1")
		h.scan(web, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.scan(h.node("web-2"), module(slip, "1.0.0"))
		h.scan(web, module(slip, "1.0.0"))
		h.wantTold("before it is time")
		h.clock.Set(noon.Add(11 * time.Hour))
		h.read()
		h.send()
		for _, a := range h.sent.got() {
			// What came and went before anybody read of it is not told; see below.
			want := "CVE-2026-2 (medium) in example.org/slip on 2 nodes"
			if a.Action != notify.Told || a.Title != "Findings: 2 notifications" || a.Text != want || a.Severity != "medium" || a.Total != 2 || a.Nodes != 2 || a.Type != "digest" {
				t.Errorf("%s got %+v", a.to, a.Notification)
			}
		}
		h.wantTold("once")
		h.scan(web, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.read()
		h.scan(web, module(slip, "1.1.0"))
		h.read()
		h.clock.Advance(24 * time.Hour)
		h.read()
		h.send()
		for _, a := range h.sent.got() {
			want := "CVE-2026-1 (critical) in example.org/leak on web-1\nResolved: CVE-2026-1 (critical) in example.org/leak on web-1"
			if a.Text != want {
				t.Errorf("%s got %q", a.to, a.Text)
			}
		}
		h.clock.Advance(24 * time.Hour)
		h.wantTold("when nothing happened")
	})
}

// A digest of failed scans says nothing of good ones.
func TestDigestOfWhatEnds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"scan.failed"}, h.integration("chat", "talk"))
		d.Digest, d.Resolved = "@hourly", true
		h.rule(d)
		web, db := h.node("web"), h.node("db")
		h.happens("scan.completed", "s1", web, map[string]int{"opened": 0, "resolved": 0})
		h.happens("scan.failed", "s2", db, map[string]string{"error": "no disk"})
		h.happens("scan.completed", "s3", db, map[string]int{"opened": 0, "resolved": 0})
		h.happens("scan.completed", "s4", db, map[string]int{"opened": 0, "resolved": 0})
		h.read()
		h.clock.Advance(time.Hour)
		h.read()
		h.send()
		got := h.sent.got()
		if len(got) != 1 || got[0].Text != "Scan of db failed\nResolved: Scan of db complete" {
			t.Errorf("arrived %+v", got)
		}
	})
}

// A heartbeat comes though there is nothing to tell, so that its silence is an alarm;
// what was missed while the console was gone is told once.
func TestHeartbeat(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := of(nil, h.integration("chat", "talk"))
		d.Digest, d.EvenIfEmpty, d.Text = "@daily", true, `{{.Text}} {{.Data.nodes}} nodes.`
		h.rule(d)
		h.scan(h.node("web-1"))
		h.clock.Advance(5 * 24 * time.Hour)
		h.read()
		h.send()
		got := h.sent.got()
		if len(got) != 1 || got[0].Title != "Nothing to report: Patrol is alive" || !strings.HasSuffix(got[0].Text, "something is wrong. 1 nodes.") {
			t.Fatalf("arrived %+v", got)
		}
		if facts := got[0].Facts; len(facts) != 2 || facts[0].Value != "1" {
			t.Errorf("facts %v", facts)
		}
		h.wantTold("once")
		h.clock.Advance(24 * time.Hour)
		h.wantTold("the next day", "talk told info Nothing to report: Patrol is alive")
	})
}

// What was gathered is not lost with the digest: it is told at once, and what follows
// by itself.
func TestDigestIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Digest = "@weekly"
		id := h.rule(d)
		h.missed("a", "b")
		d.Digest = ""
		h.editRule(id, d)
		h.wantTold("at once", "talk told medium Events: 2 notifications")
		if r := h.getRule(id); !r.DigestAt.IsZero() {
			t.Errorf("the next digest is due at %v", r.DigestAt)
		}
		h.missed("c")
		h.wantTold("by itself", "talk told medium A schedule missed fire times")
	})
}

// Two consoles make one digest.
func TestDigestOfTwoConsoles(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		other := h.another()
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Digest = "@hourly"
		h.rule(d)
		h.missed("a")
		h.clock.Advance(time.Hour)
		done := make(chan error)
		for _, console := range []house{h, other} {
			go func() {
				_, err := console.Read(t.Context())
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.wantTold("once", "talk told medium Events: 1 notification")
	})
}
