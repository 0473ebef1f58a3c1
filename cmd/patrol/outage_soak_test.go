//go:build soak

package main_test

import (
	"testing"
	"time"
)

// TestDatabaseGoneForLong takes the database away for five minutes.
func TestDatabaseGoneForLong(t *testing.T) {
	outage(t, 100, func(string) { <-time.After(5 * time.Minute) })
}
