//go:build soak

package main_test

import "testing"

// TestKillInALongRun kills the console twenty times in a run of 2,000 scans.
func TestKillInALongRun(t *testing.T) {
	killInARun(t, 2000, 20)
}
