//go:build soak

package main_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/platform/db/dbtest"
)

// TestKillInALongRun kills the console twenty times in a run of 2,000 scans.
func TestKillInALongRun(t *testing.T) {
	killInARun(t, alone(t), 2000, 20)
}

// TestKillReplicasInARun kills one of three consoles twenty times in a run of 1,000
// scans.
func TestKillReplicasInARun(t *testing.T) {
	killInARun(t, among(t, 3), 1000, 20)
}

// TestKillWhileNotifyingLong kills the console twenty times while it delivers 10,000
// notifications.
func TestKillWhileNotifyingLong(t *testing.T) {
	killWhileNotifying(t, 10_000, 20, 0.001)
}

// among are consoles on one database, of which any is killed.
func among(t *testing.T, consoles int) *killable {
	url, dir := dbtest.PostgresURL(t), t.TempDir()
	balancer := balance(t)
	running, addresses := make([]*process, consoles), make([]string, consoles)
	begin := func(i int, listen string) {
		running[i], addresses[i] = start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ", "console",
			"--data-dir", filepath.Join(dir, fmt.Sprint(i)), "--listen", listen, "--feed-url", filepath.Join(dir, "nowhere"),
			"--database-url", url, "--blob-url", "file://"+filepath.Join(dir, "blobs"))
	}
	for i := range consoles {
		begin(i, "127.0.0.1:0")
		balancer.add(addresses[i])
	}
	return &killable{balancer.client(t), func() {
		i := rand.N(consoles)
		running[i].kill(t)
		begin(i, strings.TrimPrefix(strings.TrimSuffix(addresses[i], "/"), "http://"))
	}}
}
