package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/match"
)

// Table writes the report for people: worst first, one line for a vulnerability
// in a package, then what has not been looked at.
func Table(w io.Writer, r *Report) error {
	out := bufio.NewWriter(w)
	findings(out, r.Findings)
	fmt.Fprintf(out, "%s: %d components; %s\n", clean(r.Target), r.SBOM.Components, Counts(r.Summary))
	for _, n := range r.NotAssessed {
		fmt.Fprintf(out, "not assessed: %s: %s\n", clean(n.Ecosystem), clean(n.Reason))
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(out, "warning: %s: %s\n", clean(warning.Path), clean(warning.Message))
	}
	fmt.Fprintln(out, knowledge(r.Feed))
	return out.Flush()
}

func findings(w io.Writer, all []Finding) {
	if len(all) == 0 {
		return
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(a.Vulnerability, b.Vulnerability), cmp.Compare(a.Package, b.Package))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SEVERITY\tVULNERABILITY\tPACKAGE\tINSTALLED\tFIXED IN\tECOSYSTEM")
	seen := make(map[string]bool) // other components of the same package
	for _, f := range sorted {
		_, version := match.Subject(f.Component.Key())
		line := strings.Join([]string{
			string(f.Severity), clean(f.Vulnerability), clean(f.Package), clean(version),
			clean(cmp.Or(strings.Join(f.Fixed, ", "), "-")), clean(f.Component.Ecosystem),
		}, "\t")
		if !seen[line] {
			fmt.Fprintln(table, line)
		}
		seen[line] = true
	}
	_ = table.Flush() // w buffers; its own Flush tells
	fmt.Fprintln(w)
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

func knowledge(f Feed) string {
	var newest time.Time
	for _, s := range f.Sources {
		if s.AsOf.After(newest) {
			newest = s.AsOf
		}
	}
	if f.Sample {
		return fmt.Sprintf("Matched against the built-in SAMPLE of %s, which knows far too little: run patrol feed update.", newest.Format(time.DateOnly))
	}
	return fmt.Sprintf("Matched against feed revision %s as of %s.", f.Revision, newest.Format(time.DateOnly))
}

// clean keeps control characters that a scanned tree holds from the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '�'
		}
		return r
	}, text)
}
