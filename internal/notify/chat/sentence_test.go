package chat_test

import (
	"testing"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
	"patrol/internal/notify/notifytest"
)

func TestSentence(t *testing.T) {
	known := notifytest.Opened().Findings[0]
	known.Fixed = []string{"3.0.15", "3.1.7"}
	for want, f := range map[string]notify.Finding{
		"CVE-2099-0001 (critical, CVSS 9.8, exploited) in openssl on web-1, fixed in 3.0.15, 3.1.7": known,
		"CVE-2099-0002 (unknown) in zlib on web-2":                                                  {Vulnerability: "CVE-2099-0002", Severity: "unknown", Package: "zlib", Node: notify.Node{Name: "web-2"}},
	} {
		if got := chat.Sentence(f); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text    string
		units   int
		newline rune
		want    string
	}{
		{"short", 5, ' ', "short"},
		{"longer", 5, ' ', "long…"},
		{" two \r\n\n lines ", 20, ' ', "two lines"},
		{"two\n\nlines", 20, '\n', "two\nlines"},
		{"bell\a and turned \u202eround", 30, ' ', "bell and turned round"},
		{"🛑🛑", 4, ' ', "🛑🛑"}, // two units each
		{"🛑🛑", 3, ' ', "🛑…"},
		{"é漢é漢", 3, ' ', "é漢…"},
	} {
		if got := chat.Cut(c.text, c.units, c.newline); got != c.want {
			t.Errorf("%q in %d units is %q, want %q", c.text, c.units, got, c.want)
		}
	}
}
