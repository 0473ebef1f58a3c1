package agent

import (
	"context"
	"testing"

	"patrol/internal/agent/cloud"
	"patrol/internal/wire"
)

func TestUsableHardwareID(t *testing.T) {
	for text, want := range map[string]string{
		"4C4C4544-0042-3510-8052-B4C04F4E4D32\n": "4c4c4544-0042-3510-8052-b4c04f4e4d32",
		"00000000-0000-0000-0000-000000000000":   "",
		"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF":   "",
		"03000200-0400-0500-0006-000700080009":   "",
		"Not Settable":                           "",
		"":                                       "",
	} {
		if got := usable(text); got != want {
			t.Errorf("usable(%q) = %q; want %q", text, got, want)
		}
	}
}

// The service is asked now and then, and its silence changes nothing.
func TestCloudIsKept(t *testing.T) {
	m, asked := new(machine), 0
	o := Options{Root: t.TempDir(), Cloud: func(context.Context) (cloud.Identity, bool) {
		asked++
		return cloud.Identity{Cloud: wire.Cloud{Provider: "aws", Instance: "i-1"}, Labels: map[string]string{"a": "b"}}, asked == 1
	}}
	for _, want := range []int{1, 1, 2} {
		if want == 2 {
			m.asked = m.asked.Add(-cloudInterval)
		}
		var facts wire.Facts
		m.describe(t.Context(), o, &facts)
		if asked != want || facts.Machine.Cloud.Instance != "i-1" || facts.CloudLabels["a"] != "b" {
			t.Errorf("asked %d times: %+v; want it asked %d times", asked, facts, want)
		}
	}
}
