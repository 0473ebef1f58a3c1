package agent

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// MemoryLimit is what an agent's collector of garbage works towards, in bytes: a
// scan of a large machine stays well under 150 MB resident.
const MemoryLimit = 96 << 20

// LowerPriority makes this process yield processor and disk to whatever the
// machine is there for: nice 19, and the idle I/O class (ioprio_set(2)). Linux
// keeps both by thread, and a new thread inherits them, so each that exists now
// is told. What the system refuses is left as it is.
func LowerPriority() {
	const (
		whoProcess = 1
		classIdle  = 3 << 13
	)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			continue
		}
		_ = unix.Setpriority(unix.PRIO_PROCESS, id, 19)
		_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, whoProcess, uintptr(id), classIdle)
	}
}
