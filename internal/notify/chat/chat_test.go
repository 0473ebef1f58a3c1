package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
	"patrol/internal/notify/notifytest"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"plain":                         "plain",
		"two\nlines\r\n\tand a tab":     "two lines and a tab",
		"bell\a and \x1b[31mcolour":     "bell and [31mcolour",
		"turned \u202eround\u202c":      "turned round",
		"not\xffvalid":                  "not�valid",
		"a\u2028b\u2029c\u0085d\u200be": "a b c d e",
	} {
		if got := chat.Line(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := chat.Lines("\n\na\x00\n\n\n\nb\n"); got != "a\n\nb" {
		t.Errorf("lines are %q", got)
	}
}

func entity(r rune) string {
	if r == '<' {
		return "&lt;"
	}
	return string(r)
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "lo…"},
		{"a<b", 6, "a&lt;b"},
		{"a<bc", 6, "a…"}, // an entity is never cut
		{"ééé", 5, "é…"},
		{"<<", 4, "…"},
	} {
		got := chat.Fit(c.text, c.limit, entity)
		if got != c.want || len(got) > c.limit || !utf8.ValidString(got) {
			t.Errorf("%q in %d bytes is %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func TestFindings(t *testing.T) {
	n := notifytest.Opened()
	few := chat.Findings(n, 10, 1000, chat.Plain)
	want := "• CVE-2099-0001 critical 9.8: openssl on web-1, exploited, fixed in 3.0.15-1~deb12u1\n" +
		"• CVE-2099-0001 critical 9.8: openssl on shop <&> \"quoted\", exploited, fixed in 3.0.15-1~deb12u1"
	if few != want {
		t.Errorf("two findings are\n%s", few)
	}
	f := n.Findings[0]
	f.Node.Name, f.Package, f.Vulnerability = strings.Repeat("<", 10<<10), strings.Repeat("<", 10<<10), strings.Repeat("<", 10<<10)
	for len(n.Findings) < notify.MostFindings {
		n.Findings = append(n.Findings, f)
	}
	n.Total = 5000
	for limit := 60; limit < 4000; limit += 37 {
		got := chat.Findings(n, 20, limit, entity)
		shown := strings.Count(got, "• ")
		if len(got) > limit || shown > 20 || !strings.HasSuffix(got, fmt.Sprintf("… and %d more", 5000-shown)) {
			t.Errorf("in %d bytes: %d bytes, %d shown: %s", limit, len(got), shown, got)
		}
	}
	if got := chat.Findings(notifytest.Told(), 10, 1000, chat.Plain); got != "" {
		t.Errorf("no findings are %q", got)
	}
}

func TestTitle(t *testing.T) {
	resolved := notifytest.Resolved("")
	if got := chat.Title(resolved); got != "✅ Resolved: CVE-2099-0001 in openssl" {
		t.Error(got)
	}
	resolved.Title = "CVE-2099-0001"
	if got := chat.Title(resolved); got != "✅ Resolved: CVE-2099-0001" {
		t.Error(got)
	}
	if got := chat.Title(notifytest.Opened()); got != "🔴 CVE-2099-0001 (critical) in openssl on 2 nodes" {
		t.Error(got)
	}
}
