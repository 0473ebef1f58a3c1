package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"patrol/internal/fleet"
	"patrol/internal/risk"
)

// table writes the report for people: a block for each package, worst first, with
// what to do about it, then what has not been looked at.
type table struct {
	w        io.Writer
	color    bool
	head     *Head
	findings []*Finding
}

func newTable(w io.Writer, o Options) Format { return &table{w: w, color: o.Color} }

func (t *table) Begin(h *Head) error {
	t.head = h
	return nil
}

func (t *table) Finding(f *Finding) error {
	t.findings = append(t.findings, f)
	return nil
}

func (t *table) End(tail *Tail) error {
	out := bufio.NewWriter(t.w)
	t.groups(out)
	fmt.Fprintf(out, "%s: %d components; %s\n", Clean(t.head.Target), t.head.SBOM.Components, Counts(tail.Summary))
	for _, line := range ignoredCounts(tail.Ignored) {
		fmt.Fprintf(out, "ignored: %s\n", Clean(line))
	}
	for _, n := range tail.NotAssessed {
		fmt.Fprintf(out, "not assessed: %s: %s\n", Clean(n.Ecosystem), Clean(n.Reason))
	}
	for _, warning := range tail.Warnings {
		fmt.Fprintf(out, "warning: %s: %s\n", Clean(warning.Path), Clean(warning.Message))
	}
	fmt.Fprintln(out, knowledge(t.head.Feed))
	return out.Flush()
}

// shownLocations is how many places a block names.
const shownLocations = 3

func (t *table) groups(out io.Writer) {
	widest := 0
	for _, f := range t.findings {
		widest = max(widest, utf8.RuneCountInString(Clean(f.Vulnerability)))
	}
	for _, g := range groups(t.findings) {
		fmt.Fprintf(out, "%s (%s): %s\n", t.paint(bold, Clean(g.Package+" "+g.Version)), Clean(g.Ecosystem), Clean(g.Advice()))
		if where := g.where(); where != "" {
			fmt.Fprintf(out, "  %s\n", t.paint(dim, Clean(where)))
		}
		for _, f := range g.Findings {
			severity := t.paint(colors[f.Severity], fmt.Sprintf("%-9s", Clean(string(f.Severity))))
			name := Clean(f.Vulnerability)
			padding := strings.Repeat(" ", widest-utf8.RuneCountInString(name))
			fixed := cmp.Or(strings.Join(f.Fixed, ", "), "no fix is known")
			if len(f.Fixed) > 0 {
				fixed = "fixed in " + fixed
			}
			if f.Exploited() {
				fixed += "; known to be exploited"
			}
			fmt.Fprintf(out, "  %s  %s%s  %s\n", severity, name, padding, Clean(fixed))
		}
		fmt.Fprintln(out)
	}
}

// where names the components, unless the package's own name says it, and the
// first places where they stand.
func (g *group) where() string {
	var parts []string
	if !slices.Equal(g.Components, []string{g.Package}) {
		parts = append(parts, strings.Join(g.Components, ", "))
	}
	if len(g.Locations) > 0 {
		places := strings.Join(g.Locations[:min(shownLocations, len(g.Locations))], ", ")
		if more := len(g.Locations) - shownLocations; more > 0 {
			places += fmt.Sprintf(" and %d more places", more)
		}
		parts = append(parts, "in "+places)
	}
	return strings.Join(parts, " ")
}

// The colours of terminals (ECMA-48, section 8.3.117).
const (
	bold = "1"
	dim  = "2"
)

var colors = map[risk.Severity]string{
	risk.Malicious: "1;37;41", risk.Critical: "1;31", risk.High: "31", risk.Medium: "33", risk.Low: "36", risk.Unknown: "2",
}

func (t *table) paint(color, text string) string {
	if !t.color || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// Counts says counts in words, leaving out what is zero.
func Counts(c fleet.Counts) string {
	var parts []string
	for _, part := range []struct {
		name  string
		count int
	}{{"malicious", c.Malicious}, {"critical", c.Critical}, {"high", c.High}, {"medium", c.Medium}, {"low", c.Low}, {"unknown", c.Unknown}} {
		if part.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.name))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing found")
}

// ignoredCounts says who has how many findings ignored, one line each: "3 by
// ignore.yaml:1 until 2099-01-01: not reachable".
func ignoredCounts(all []Ignored) []string {
	counts := make(map[string]int)
	var order []string
	for _, i := range all {
		because := i.By
		if i.Until != "" {
			because += " until " + i.Until
		}
		if i.Reason != "" {
			because += ": " + i.Reason
		}
		if counts[because] == 0 {
			order = append(order, because)
		}
		counts[because]++
	}
	for n, because := range order {
		order[n] = fmt.Sprintf("%d by %s", counts[because], because)
	}
	return order
}

func ofAll(some, all int) string { return fmt.Sprintf("%d of %d", some, all) }

func knowledge(f Feed) string {
	newest := f.AsOf().Format(time.DateOnly)
	if f.Sample {
		return fmt.Sprintf("Matched against the built-in SAMPLE of %s, which knows far too little: run patrol feed update.", newest)
	}
	return fmt.Sprintf("Matched against feed revision %s as of %s.", f.Revision, newest)
}

// Clean keeps what a scanned tree holds from steering the terminal: control
// characters, and those that turn the direction of writing, so that a name
// cannot look like another.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029,
			r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, text)
}
