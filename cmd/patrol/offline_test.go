package main_test

import (
	"log"
	"os"
	"testing"
)

// The sources beside OSV are on by default; no test is to ask the real ones.
func TestMain(m *testing.M) {
	for _, name := range []string{"PATROL_KEV_URL", "PATROL_EPSS_URL", "PATROL_CVE_URL", "PATROL_NVD_URL"} {
		if err := os.Setenv(name, ""); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(m.Run())
}
