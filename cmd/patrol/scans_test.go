package main

import (
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/scan"
)

func TestBecause(t *testing.T) {
	march, june := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for want, c := range map[string]scan.OccurrenceChange{
		"disclosed in a package deployed 2026-03-01T12:00:00Z": {Because: finding.Disclosed, OpenedAt: june, DeployedAt: &march},
		"disclosed":  {Because: finding.Disclosed, OpenedAt: march, DeployedAt: &june}, // upgraded since
		"upgraded":   {Because: finding.Upgraded, OpenedAt: march},
		"first_scan": {Because: finding.FirstScan, OpenedAt: march, DeployedAt: &march},
	} {
		if got := because(c); got != want {
			t.Errorf("because %s; want %s", got, want)
		}
	}
}
