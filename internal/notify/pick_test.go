package notify_test

import (
	"testing"
)

// What a rule tells of one vulnerability, from the first node that has it to the last.
func TestLifeOfAVulnerability(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.feed.publish(leak, slip)
		d := about(h.integration("chat", "talk"), h.integration("tracker", "desk"), h.integration("store", "lake"))
		d.When, d.Resolved = `findings.exists(f, f.severity == "critical")`, true
		h.rule(d)
		one, two := h.node("web-1"), h.node("web-2")

		const about = "critical CVE-2026-1 (critical) in example.org/leak on web-"
		h.scan(one, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.wantTold("on the first node", "talk opened "+about+"1", "desk opened "+about+"1", "lake opened "+about+"1")
		h.scan(two, module(leak, "1.0.0"))
		h.wantTold("on the second", "desk changed "+about+"2", "lake changed "+about+"2")
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
