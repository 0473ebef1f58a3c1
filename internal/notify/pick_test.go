package notify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/notify"
)

// What a rule tells of one vulnerability, from the first node that has it to the last.
func TestLifeOfAVulnerability(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak, slip)
		d := about(h.integration("chat", "talk"), h.integration("tracker", "desk"), h.integration("store", "lake"))
		d.When, d.Resolved = `findings.exists(f, f.severity == "critical")`, true
		h.rule(d)
		one, two := h.node("web-1"), h.node("web-2")

		const about = "critical CVE-2026-1 (critical) in example.org/leak on web-"
		const onBoth = "critical CVE-2026-1 (critical) in example.org/leak on 2 nodes"
		h.scan(one, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.wantTold("on the first node", "talk opened "+about+"1", "desk opened "+about+"1", "lake opened "+about+"1")
		h.scan(two, module(leak, "1.0.0"))
		h.wantTold("on the second", "desk changed "+onBoth, "lake changed "+onBoth)
		h.scan(one, module(leak, "1.1.0"))
		h.wantTold("gone from the first")
		h.scan(two)
		h.wantTold("gone from the second", "talk resolved critical Resolved: CVE-2026-1 (critical) in example.org/leak on web-2",
			"desk resolved critical Resolved: CVE-2026-1 (critical) in example.org/leak on web-2", "lake resolved critical Resolved: CVE-2026-1 (critical) in example.org/leak on web-2")
		h.scan(two, module(leak, "1.0.0"))
		h.wantTold("back again", "talk opened "+about+"2", "desk opened "+about+"2", "lake opened "+about+"2")
		h.wantTold("when nothing happened")
	})
}

// What one notification is about is the rule's choice.
func TestGroupBy(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak, slip)
		all := map[string]string{}
		for _, by := range []string{notify.ByVulnerability, notify.ByNode, notify.ByScan, notify.ByOccurrence} {
			d := about(h.integration("tracker", by))
			d.Name, d.GroupBy, d.Resolved = by, by, true
			all[by] = h.rule(d)
		}
		one := h.node("web-1")
		const flaws = "CVE-2026-1 (critical) in example.org/leak on web-1"
		const slips = "CVE-2026-2 (medium) in example.org/slip on web-1"
		const both = "2 vulnerabilities on web-1: 1 critical, 1 medium"
		h.scan(one, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.wantTold("opened",
			"vulnerability opened critical "+flaws, "vulnerability opened medium "+slips,
			"node opened critical "+both, "scan told critical "+both,
			"occurrence opened critical "+flaws, "occurrence opened medium "+slips)
		h.scan(one, module(slip, "1.0.0"))
		h.wantTold("one is gone",
			"vulnerability resolved critical Resolved: "+flaws, "scan resolved critical Resolved: "+flaws, "occurrence resolved critical Resolved: "+flaws)
		h.scan(one, module(leak, "1.0.0"), module(slip, "1.1.0"))
		h.wantTold("the other one instead",
			"vulnerability resolved medium Resolved: "+slips, "scan resolved medium Resolved: "+slips, "occurrence resolved medium Resolved: "+slips,
			"vulnerability opened critical "+flaws, "node changed critical "+flaws, "scan told critical "+flaws, "occurrence opened critical "+flaws)
		h.scan(one)
		h.wantTold("all is gone",
			"vulnerability resolved critical Resolved: "+flaws, "node resolved critical Resolved: "+flaws, "scan resolved critical Resolved: "+flaws, "occurrence resolved critical Resolved: "+flaws)
		keys := map[string]bool{}
		for _, d := range h.deliveries(notify.DeliveryQuery{}) {
			keys[d.Key] = true
			if len(d.Key) > 255 || strings.ContainsAny(d.Key, " \n") {
				t.Errorf("key %q", d.Key)
			}
		}
		for _, want := range []string{all[notify.ByVulnerability] + "/CVE-2026-1", all[notify.ByNode] + "/" + one, all[notify.ByScan] + "/scan-001"} {
			if !keys[want] {
				t.Errorf("no key is %q of %v", want, keys)
			}
		}
	})
}

// A vulnerability is told only once it is on enough nodes.
func TestMinNodes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := about(h.integration("chat", "talk"))
		d.MinNodes, d.Resolved = 3, true
		h.rule(d)
		var nodes []string
		for n := range 4 {
			nodes = append(nodes, h.node(fmt.Sprint("web-", n)))
		}
		const title = "CVE-2026-1 (critical) in example.org/leak on "
		h.scan(nodes[0], module(leak, "1.0.0"))
		h.scan(nodes[1], module(leak, "1.0.0"))
		h.wantTold("on two")
		h.scan(nodes[2], module(leak, "1.0.0"))
		h.wantTold("on three", "talk opened critical "+title+"3 nodes")
		h.scan(nodes[3], module(leak, "1.0.0"))
		h.wantTold("on four")
		for _, node := range nodes[:3] {
			h.scan(node)
		}
		h.wantTold("on one")
		h.scan(nodes[3])
		h.wantTold("on none", "talk resolved critical Resolved: "+title+"web-3")
	})
}

// What is disclosed opens, and what is corrected closes, on all nodes at once.
func TestRematch(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := about(h.integration("chat", "talk"))
		d.Resolved, d.Types = true, []string{"occ*"} // a pattern, too
		h.rule(d)
		for n := range 3 {
			h.scan(h.node(fmt.Sprint("web-", n)), module(slip, "1.0.0"))
		}
		h.wantTold("before it is known")
		h.publish(leak, slip)
		h.rematch()
		h.read()
		h.send()
		got := h.sent.got()
		if len(got) != 1 || got[0].Title != "CVE-2026-2 (medium) in example.org/slip on 3 nodes" || got[0].Total != 3 || got[0].Nodes != 3 || len(got[0].Findings) != 3 ||
			!strings.Contains(got[0].Text, "A flaw in example.org/slip\nFixed in 1.1.0.\nFound by a new disclosure") {
			t.Fatalf("disclosed: %+v", got)
		}
		corrected := slip
		corrected.fixed = "0.9.0"
		h.publish(leak, corrected)
		h.rematch()
		h.wantTold("corrected", "talk resolved medium Resolved: CVE-2026-2 (medium) in example.org/slip on 3 nodes")
	})
}

// Events that end what another opened do so where it was opened; the same again is no
// news in a chat.
func TestEventsThatEnd(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := of([]string{"scan.failed", "feed.stale", "node.inactive"}, h.integration("chat", "talk"), h.integration("tracker", "desk"))
		d.Resolved = true
		h.rule(d)
		web := h.node("web")
		done := map[string]int{"opened": 0, "resolved": 0}
		h.happens("scan.completed", "s0", web, done)
		h.happens("feed.fresh", "feed", "", nil)
		h.wantTold("what ends nothing")
		h.happens("scan.failed", "s1", web, map[string]string{"error": "no disk"})
		h.happens("scan.failed", "s2", web, map[string]string{"error": "no disk"})
		h.wantTold("failed twice", "talk opened medium Scan of web failed", "desk opened medium Scan of web failed", "desk changed medium Scan of web failed")
		h.happens("scan.completed", "s3", web, done)
		h.wantTold("went well", "talk resolved info Resolved: Scan of web complete", "desk resolved info Resolved: Scan of web complete")
		h.happens("node.inactive", web, web, nil)
		h.happens("node.retired", web, web, nil)
		h.wantTold("gone for good", "talk opened medium The agent on web is gone", "talk resolved info Resolved: web was retired",
			"desk opened medium The agent on web is gone", "desk resolved info Resolved: web was retired")
	})
}

// A vulnerability that was told before it had a CVE is closed where it was opened.
func TestRenamedVulnerability(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		unnamed := leak
		unnamed.cve = ""
		h.publish(unnamed)
		h.rule(about(h.integration("tracker", "desk")))
		one, two := h.node("web-1"), h.node("web-2")
		h.scan(one, module(leak, "1.0.0"))
		h.wantTold("before", "desk opened critical GO-1 (critical) in example.org/leak on web-1")
		h.publish(leak)
		h.rematch()
		h.wantTold("when it has a CVE")
		h.scan(two, module(leak, "1.0.0"))
		h.wantTold("on another node", "desk opened critical CVE-2026-1 (critical) in example.org/leak on 2 nodes")
		h.scan(two)
		h.wantTold("while one is left")
		h.scan(one)
		h.read()
		h.send()
		var keys []string
		for _, a := range h.sent.got() {
			keys = append(keys, string(a.Action)+a.Key[36:])
		}
		slices.Sort(keys)
		if want := []string{"resolved/CVE-2026-1", "resolved/GO-1"}; !slices.Equal(keys, want) {
			t.Errorf("at the end %q; want %q", keys, want)
		}
	})
}

// What a re-match discloses on enough nodes is told with all of them: those that it
// opened, and those that had it before.
func TestMinNodesOfARematch(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		old := slip
		old.fixed = "1.0.0"
		h.publish(leak, old)
		d := about(h.integration("chat", "talk"))
		d.MinNodes = 3
		h.rule(d)
		h.scan(h.node("web-0"), module(slip, "0.9.0"))
		for n := range 2 {
			h.scan(h.node(fmt.Sprint("web-", n+1)), module(slip, "1.1.0"), module(silent, "1.0.0"))
		}
		h.scan(h.node("web-3"), module(silent, "1.0.0"))
		h.wantTold("before it is known")
		all := slip
		all.fixed = ""
		h.publish(leak, all, silent)
		h.rematch()
		h.read()
		h.send()
		told := map[string]int{}
		for _, a := range h.sent.got() {
			told[a.Title] = len(a.Findings)
		}
		want := map[string]int{"CVE-2026-2 (medium) in example.org/slip on 3 nodes": 3, "CVE-2026-3 (unknown) in example.org/silent on 3 nodes": 3}
		if !maps.Equal(told, want) {
			t.Errorf("told %v; want %v", told, want)
		}
	})
}

// That a decision ends is told of what it was about, and of nothing else.
func TestDecisionOfSomeNodes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		d := about(h.integration("chat", "talk"))
		d.GroupBy = notify.ByNode
		h.rule(d)
		one, two, three := h.node("web-1"), h.node("web-2", "env=test"), h.node("web-3")
		for _, node := range []string{one, two, three} {
			h.scan(node, module(leak, "1.0.0"))
		}
		const title = "CVE-2026-1 (critical) in example.org/leak on "
		h.wantTold("found", "talk opened critical "+title+"web-1", "talk opened critical "+title+"web-2", "talk opened critical "+title+"web-3")
		ofNode := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive, Node: one})
		bySelector := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive, Selector: `node.labels.env == "test"`})
		h.wantTold("decided")
		if err := h.findings.Revoke(t.Context(), ofNode.ID); err != nil {
			t.Fatal(err)
		}
		h.wantTold("counts again on one", "talk opened critical "+title+"web-1")
		if err := h.findings.Revoke(t.Context(), bySelector.ID); err != nil {
			t.Fatal(err)
		}
		h.wantTold("counts again on another", "talk opened critical "+title+"web-2")
	})
}

// What nobody was told of is told to who comes later.
func TestNobodyThere(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak)
		id := h.integration("chat", "talk")
		h.rule(about(id))
		enable := func(enabled bool) {
			t.Helper()
			if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Enabled: &enabled}); err != nil {
				t.Fatal(err)
			}
		}
		enable(false)
		h.scan(h.node("web-1"), module(leak, "1.0.0"))
		h.read()
		enable(true)
		h.scan(h.node("web-2"), module(leak, "1.0.0"))
		h.wantTold("found again", "talk opened critical CVE-2026-1 (critical) in example.org/leak on 2 nodes")
	})
}
