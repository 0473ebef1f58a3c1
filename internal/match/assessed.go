package match

import (
	"slices"
	"strings"
	"time"
)

// NotAssessed is an ecosystem that findings say nothing, or no longer
// everything, about. It stands beside the findings, never instead of them.
type NotAssessed struct {
	Ecosystem string `json:"ecosystem"`
	Reason    string `json:"reason"`
}

// Uncovered returns the ecosystems that the feed has no advisory of, sorted.
func Uncovered(k Knowledge, ecosystems []string) []NotAssessed {
	missing := []NotAssessed{}
	for _, e := range distinct(ecosystems) {
		if !k.Covers(e) {
			missing = append(missing, NotAssessed{e, "the feed has no advisories for it"})
		}
	}
	return missing
}

// Unsupported returns the ecosystems whose release gets no security fixes any
// more at that time, sorted: what is disclosed today has no advisory there. It
// depends on the clock, so it is judged when shown and never stored.
func Unsupported(ecosystems []string, now time.Time) []NotAssessed {
	ended := []NotAssessed{}
	for _, e := range distinct(ecosystems) {
		if end, ok := EndOfLife(e); ok && now.After(end) {
			ended = append(ended, NotAssessed{e, "no security support since " + end.Format(time.DateOnly)})
		}
	}
	return ended
}

func distinct(ecosystems []string) []string {
	sorted := slices.Clone(ecosystems)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// EndOfLife returns the last day of a release's security support, long-term
// support that is free to all included, or false where none is known.
func EndOfLife(ecosystem string) (time.Time, bool) {
	base, release, _ := strings.Cut(ecosystem, ":")
	day, ok := endOfLife[base][strings.TrimSuffix(release, ":LTS")]
	if !ok {
		return time.Time{}, false
	}
	end, err := time.Parse(time.DateOnly, day)
	return end.Add(24*time.Hour - time.Second), err == nil
}

// endOfLife holds what the distributions announce:
// Debian, https://wiki.debian.org/LTS; Ubuntu, https://ubuntu.com/about/release-cycle;
// Alpine, https://alpinelinux.org/releases/; AlmaLinux, https://wiki.almalinux.org/release-notes/;
// Rocky Linux, https://wiki.rockylinux.org/rocky/version/.
var endOfLife = map[string]map[string]string{
	"Debian": {
		"7": "2018-05-31", "8": "2020-06-30", "9": "2022-06-30", "10": "2024-06-30",
		"11": "2026-08-31", "12": "2028-06-30", "13": "2030-06-30",
	},
	"Ubuntu": {
		"14.04": "2019-04-25", "16.04": "2021-04-30", "18.04": "2023-05-31", "20.04": "2025-05-31",
		"22.04": "2027-04-30", "24.04": "2029-04-30",
		"23.04": "2024-01-25", "23.10": "2024-07-11", "24.10": "2025-07-10", "25.04": "2026-01-15",
	},
	"Alpine": {
		"v3.12": "2022-05-01", "v3.13": "2022-11-01", "v3.14": "2023-05-01", "v3.15": "2023-11-01",
		"v3.16": "2024-05-23", "v3.17": "2024-11-22", "v3.18": "2025-05-09", "v3.19": "2025-11-01",
		"v3.20": "2026-04-01", "v3.21": "2026-11-01", "v3.22": "2027-05-01", "v3.23": "2027-11-01",
	},
	"AlmaLinux":   {"8": "2029-03-01", "9": "2032-05-31", "10": "2035-05-31"},
	"Rocky Linux": {"8": "2029-05-31", "9": "2032-05-31", "10": "2035-05-31"},
}
