package agent

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"patrol/internal/collect"
	"patrol/internal/wire"
)

// readFacts says what the machine is. Of a tree that is not this machine (--root)
// only the tree's own distribution is known.
func readFacts(o Options) (wire.Facts, error) {
	name, err := os.Hostname()
	if err != nil {
		return wire.Facts{}, fmt.Errorf("read the host name: %w", err)
	}
	facts := wire.Facts{
		Protocol: wire.Version, Agent: o.Version, Name: name, Labels: o.Labels,
		Architecture: runtime.GOARCH, Distribution: collect.Distribution(o.Root),
	}
	if o.Root != "/" {
		return facts, nil
	}
	var system unix.Utsname
	if err := unix.Uname(&system); err == nil {
		facts.Kernel = unix.ByteSliceToString(system.Release[:])
	}
	// machine-id(5); not every machine has one, and clones share it.
	if id, err := os.ReadFile("/etc/machine-id"); err == nil {
		facts.MachineID = strings.TrimSpace(string(id))
	}
	return facts, nil
}
