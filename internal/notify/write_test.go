package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/notify"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/sbom"
)

// What is more than a rule's limit is told together in one, at the end of ten minutes.
func TestLimit(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Limit = 3
		h.rule(d)
		const one = "talk told medium A schedule missed fire times"
		h.missed("a", "b", "c", "d", "e")
		h.wantTold("at once", one, one, one)
		h.clock.Advance(9 * time.Minute)
		h.missed("f")
		h.wantTold("in the same window")
		h.clock.Advance(time.Minute)
		h.wantTold("at its end", "talk told medium Events: 3 more in ten minutes than the rule's limit of 3")
		h.wantTold("once")
		h.missed("g")
		h.wantTold("in the next", one)
		wait, err := h.Read(t.Context())
		if err != nil || wait > 5*time.Second {
			t.Errorf("looks again after %v, %v", wait, err)
		}
	})
}

// In quiet hours nothing is sent, and all of it when they end.
func TestQuietRule(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Quiet, d.TimeZone = []notify.Quiet{{From: "13:00", To: "18:00"}}, "Europe/Berlin" // noon is 14:00 there
		h.rule(d)
		h.missed("a")
		h.wantTold("while it is quiet")
		h.clock.Advance(4*time.Hour - time.Second)
		h.missed("b")
		h.wantTold("while it is quiet still")
		h.clock.Advance(time.Second)
		h.wantTold("at the end", "talk told medium A schedule missed fire times", "talk told medium A schedule missed fire times")
	})
}

// What waits when quiet hours begin waits for their end: what failed, and what the
// console had not come to.
func TestQuietWhileWaiting(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Quiet, d.TimeZone = []notify.Quiet{{From: "15:00", To: "18:00"}}, "Europe/Berlin" // noon is 14:00 there
		h.rule(d)
		h.clock.Advance(time.Hour - time.Second)
		h.sent.fail("talk", errDown)
		h.missed("a")
		h.wantTold("while nobody answers")
		h.missed("b")
		h.read()
		h.clock.Advance(time.Minute)
		h.wantTold("while it is quiet")
		for _, d := range h.deliveries(notify.DeliveryQuery{}) {
			if want := noon.Add(4 * time.Hour); !d.DueAt.Equal(want) {
				t.Errorf("due at %v; want %v", d.DueAt, want)
			}
		}
		h.clock.Set(noon.Add(4 * time.Hour))
		h.wantTold("at the end", "talk told medium A schedule missed fire times", "talk told medium A schedule missed fire times")
	})
}

// A newer state takes the place of one that nobody has begun to send, where only the
// state counts; a store has them all.
func TestSuperseded(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		h.rule(about(h.integration("tracker", "desk"), h.integration("store", "lake")))
		for n := range 4 {
			h.scan(h.node(fmt.Sprint("web-", n)), module(leak, "1.0.0"))
			h.read()
		}
		h.send()
		var got []string
		for _, a := range h.sent.got() {
			got = append(got, a.to+" "+string(a.Action))
		}
		slices.Sort(got)
		want := []string{"desk changed", "desk opened", "lake changed", "lake changed", "lake changed", "lake opened"}
		if !slices.Equal(got, want) {
			t.Errorf("arrived %q; want %q", got, want)
		}
		if n := len(h.deliveries(notify.DeliveryQuery{State: notify.Superseded})); n != 2 {
			t.Errorf("%d were superseded", n)
		}
	})
}

// Two consoles that read the same tell it once.
func TestRuleIsReadOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		other := h.another()
		h.tells("chat", "talk")
		news := make([]event.News, 450) // more than one batch
		for n := range news {
			news[n] = event.News{Subject: fmt.Sprint("s", n)}
		}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			return event.AppendAll(t.Context(), tx, h.clock.Now(), "schedule.missed", news)
		})
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
		if n := h.count(`SELECT count(*) FROM notification`); n != 100 {
			t.Errorf("%d notifications; want as many as the limit", n)
		}
		if n := h.count(`SELECT count(*) FROM gathered`); n != 350 {
			t.Errorf("%d were gathered", n)
		}
	})
}

// A rule tells of what happens after it was made, and not of what happened while it was
// disabled.
func TestRuleBeginsAtTheEnd(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.happens("schedule.missed", "before", "", nil)
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		id := h.rule(d)
		h.wantTold("of before")
		d.Enabled = false
		h.editRule(id, d)
		h.happens("schedule.missed", "meanwhile", "", nil)
		h.wantTold("while it is disabled")
		d.Enabled = true
		h.editRule(id, d)
		h.wantTold("of meanwhile")
		h.happens("schedule.missed", "after", "", nil)
		h.wantTold("of after", "talk told medium A schedule missed fire times")

		// What was swept before it was read is not told; what follows is.
		h.happens("schedule.missed", "swept", "", nil)
		h.execute(`DELETE FROM event`)
		h.happens("schedule.missed", "next", "", nil)
		h.wantTold("after the sweep", "talk told medium A schedule missed fire times")
	})
}

// A rule that was saved by another version goes on as that completed it, and one that
// cannot be used keeps no other from reading.
func TestRuleOfAnotherVersion(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		chat := h.integration("chat", "hall")
		earlier := of([]string{"schedule.missed"}, chat)
		earlier.Name = "Earlier"
		id := h.rule(earlier)
		h.execute(`UPDATE rule SET definition = $2 WHERE id = $1`, id, fmt.Sprintf(`{"types": ["schedule.missed"], "name": "Earlier", "integrations": [%q]}`, chat))
		broken := of([]string{"schedule.missed"}, chat)
		broken.Name, broken.Digest = "Broken", "@hourly"
		bad := h.rule(broken)
		h.execute(`UPDATE rule SET definition = '{"name":"Broken","types":["moon.full"],"integrations":[]}', seen = 0 WHERE id = $1`, bad)
		h.happens("schedule.missed", "one", "", nil)
		h.wantTold("by the others", "talk told medium A schedule missed fire times", "hall told medium A schedule missed fire times")
		if r := h.getRule(bad); !strings.Contains(r.Error, `"moon.full" is no type of event`) || r.ErrorAt.IsZero() {
			t.Errorf("%+v", r)
		}
		h.editRule(bad, broken)
		if r := h.getRule(bad); r.Error != "" {
			t.Errorf("%+v", r)
		}
	})
}

// A team hears of its own nodes.
func TestRoutingByTeamAndLabel(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		team, err := h.auth.CreateTeam(t.Context(), auth.NewTeam{Name: "web", Selector: `node.labels.team == "web"`})
		if err != nil {
			t.Fatal(err)
		}
		of := about(h.integration("chat", "web"))
		of.Name, of.Team, of.Types = "Web", "web", []string{"occurrence.opened", "node.inactive", "schedule.missed"}
		webs := h.rule(of)
		data := about(h.integration("chat", "data"))
		data.Name, data.When, data.GroupBy = "Data", `node.labels.team == "data"`, notify.ByNode
		h.rule(data)
		web, db, bare := h.node("web-1", "team=web"), h.node("db-1", "team=data"), h.node("bare-1")
		for _, node := range []string{bare, db, web} {
			h.scan(node, module(leak, "1.0.0"))
			h.happens("node.inactive", node, node, nil)
		}
		h.happens("schedule.missed", "s", "", nil)
		h.wantTold("each its own", "web opened critical CVE-2026-1 (critical) in example.org/leak on web-1", "web opened medium The agent on web-1 is gone",
			"data opened critical CVE-2026-1 (critical) in example.org/leak on db-1")
		if err := h.auth.DeleteTeam(t.Context(), team.ID); err != nil {
			t.Fatal(err)
		}
		h.happens("node.active", web, web, nil)
		h.happens("node.inactive", web, web, nil)
		h.wantTold("without the team")
		if r := h.getRule(webs); !strings.Contains(r.Error, `no team named "web"`) {
			t.Errorf("error %q", r.Error)
		}
	})
}

// What becomes worse or overdue is news to all, though it was told before.
func TestWorseAndOverdue(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(slip)
		d := about(h.integration("chat", "talk"))
		d.Types = []string{"occurrence.*"}
		h.rule(d)
		if err := h.findings.TellOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.scan(h.node("web-1"), module(slip, "1.0.0"))
		const title = " CVE-2026-2 (medium) in example.org/slip on web-1"
		h.wantTold("opened", "talk opened medium"+title)
		h.happens("vulnerability.reassessed", "CVE-2026-2", "", map[string]any{"vulnerability": "CVE-2026-2"})
		h.wantTold("reassessed", "talk changed medium"+title)
		h.clock.Advance(91 * 24 * time.Hour)
		if err := h.findings.TellOverdue(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantTold("overdue", "talk changed medium"+title)
	})
}

// A template that fails leaves Patrol's own words, and that is said.
func TestTemplateThatFails(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"schedule.missed"}, h.integration("chat", "talk"))
		d.Title = `{{if .Data.name}}{{index .Data.name 99}}{{end}} by rule`
		id := h.rule(d)
		h.happens("schedule.missed", "a", "", nil)
		h.happens("schedule.missed", "b", "", map[string]string{"name": "nightly"})
		h.wantTold("both", "talk told medium by rule", "talk told medium A schedule missed fire times")
		if r := h.getRule(id); !strings.Contains(r.Error, "title") {
			t.Errorf("error %q", r.Error)
		}
		d.Title, d.When = "", `event.data.size > 3.0`
		h.editRule(id, d)
		h.happens("schedule.missed", "c", "", map[string]any{"size": "large"})
		h.happens("schedule.missed", "d", "", map[string]any{"size": 4})
		h.happens("schedule.missed", "e", "", map[string]any{})
		h.wantTold("where the condition holds", "talk told medium A schedule missed fire times")
		if r := h.getRule(id); r.Error == "" {
			t.Error("that the condition fails is not said")
		}
	})
}

// What is told once more after a re-match failed is what it did since.
func TestRematchThatFailsFirst(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := about(h.integration("store", "lake"))
		d.Types = []string{"occurrence.opened", "rematch.failed"}
		h.rule(d)
		byScan := about(h.integration("chat", "talk"))
		byScan.Name, byScan.GroupBy = "By scan", notify.ByScan
		h.rule(byScan)
		one, two := h.node("web-1"), h.node("web-2")
		h.scan(one, module(leak, "1.1.0"), module(slip, "1.0.0"))
		h.scan(two, module(leak, "1.1.0"), module(slip, "1.0.0"), module(silent, "1.0.0"))
		h.wantTold("nothing is known of it")
		h.publish(leak, slip, silent)
		h.rematch()
		// As if it had failed after the first node.
		h.execute(`UPDATE occurrence SET opened_at = opened_at + 5000000 WHERE node_id = $1`, two)
		h.execute(`UPDATE rematch SET finished_at = finished_at + 6000000`)
		h.execute(`UPDATE event SET time = time + 6000000 WHERE type = 'rematch.completed'`)
		id := dbText(h, `SELECT id FROM rematch`)
		h.execute(`UPDATE event SET id = id + 1 WHERE type = 'rematch.completed'`)
		h.execute(`INSERT INTO event (id, type, subject, time, data, audience) SELECT id - 1, 'rematch.failed', $1, time - 6000000, '{"rematch":"' || subject || '","error":"disk"}', '' FROM event WHERE type = 'rematch.completed'`, id)
		h.wantTold("each once",
			"lake opened high The fleet could not be matched again", "lake resolved info Resolved: The fleet was matched again",
			"lake opened medium CVE-2026-2 (medium) in example.org/slip on 2 nodes",
			"lake changed medium CVE-2026-2 (medium) in example.org/slip on 2 nodes",
			"lake opened unknown CVE-2026-3 (unknown) in example.org/silent on web-2",
			"talk told medium CVE-2026-2 (medium) in example.org/slip on web-1",
			"talk told medium 2 vulnerabilities on web-2: 1 medium, 1 unknown")
	})
}

// A decision ends what was told where nothing else is left, and its end begins it anew.
func TestDecisions(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := about(h.integration("chat", "talk"))
		d.Resolved = true
		h.rule(d)
		one, two := h.node("web-1"), h.node("web-2")
		h.scan(one, module(leak, "1.0.0"))
		h.scan(two, module(leak, "1.0.0"))
		const title = "CVE-2026-1 (critical) in example.org/leak on "
		h.wantTold("opened", "talk opened critical "+title+"2 nodes")
		until := h.clock.Now().Add(24 * time.Hour)
		accept := func(node string) finding.Decision {
			t.Helper()
			return h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.RiskAccepted, Node: node, Until: &until})
		}
		first := accept(one)
		h.wantTold("accepted on one of two")
		accept(two)
		h.wantTold("accepted on both", "talk resolved critical Resolved: "+title+"web-2")
		if err := h.findings.Revoke(t.Context(), first.ID); err != nil {
			t.Fatal(err)
		}
		h.wantTold("revoked on one", "talk opened critical "+title+"web-1")
		h.clock.Set(until)
		if err := h.findings.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantTold("expired on the other") // it is told already
		if err := h.fleet.Retire(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		h.wantTold("one is retired")
		if err := h.fleet.Retire(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		h.read()
		h.send()
		if got := h.sent.got(); len(got) != 1 || got[0].Title != "Resolved: "+title+"web-2" || !strings.Contains(got[0].Text, "the node was retired") {
			t.Errorf("both are retired: %+v", got)
		}
	})
}

// Whoever keeps all gets every finding, in further notifications of the same key; others
// get the worst of them, and how many there are.
func TestMoreThanOneHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		var records []record
		var modules []sbom.Component
		for n := range 250 {
			r := record{fmt.Sprint("GO-", n), fmt.Sprint("example.org/m", n), "", fmt.Sprintf("CVE-2026-%d", 1000+n), medium}
			if n == 240 {
				r.vector = critical
			}
			records, modules = append(records, r), append(modules, module(r, "1.0.0"))
		}
		h.publish(records...)
		d := about(h.integration("chat", "talk"), h.integration("store", "lake"))
		d.GroupBy = notify.ByNode
		h.rule(d)
		h.scan(h.node("web-1"), modules...)
		h.read()
		h.send()
		seen := map[string]map[string]bool{"talk": {}, "lake": {}}
		for _, a := range h.sent.got() {
			if a.Total != 250 || a.Severity != "critical" || !strings.HasSuffix(a.Key, h.deliveries(notify.DeliveryQuery{})[0].Key[36:]) {
				t.Errorf("%s got %s %d %s", a.to, a.Title, a.Total, a.Severity)
			}
			for _, f := range a.Findings {
				seen[a.to][f.Vulnerability] = true
			}
		}
		if len(seen["talk"]) != notify.MostFindings || len(seen["lake"]) != 250 || !seen["talk"]["CVE-2026-1240"] {
			t.Errorf("the chat has %d, the store %d findings", len(seen["talk"]), len(seen["lake"]))
		}
	})
}
