package containers

import (
	"context"
	"errors"
	"fmt"
	"os"

	"patrol/internal/collect"
	"patrol/internal/wire"
)

// Collect reads what is installed in a container or image of the runtime.
func Collect(ctx context.Context, r Runtime, kind, key string) (*collect.Result, error) {
	switch kind {
	case wire.ContainerKind:
		return collectContainer(ctx, r, key)
	case wire.ImageKind:
		return collectImage(ctx, r, key)
	}
	return nil, fmt.Errorf("a runtime has no %s: install the console's version of patrol", kind)
}

// collectContainer reads the tree that a container's first process sees. The open
// root keeps the tree together should the process end. Its number may have been
// another's by then: only if the container still has that process at the end is
// what was read the container's, and all of it.
func collectContainer(ctx context.Context, r Runtime, key string) (*collect.Result, error) {
	root, pid, err := tree(ctx, r, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	result, err := collect.Dir(ctx, collect.Options{Root: fmt.Sprintf("/proc/self/fd/%d", root.Fd()), Process: pid})
	if err != nil {
		return nil, fmt.Errorf("container %s, process %d: %w", short(key), pid, err)
	}
	if result.Files == 0 { // as of a sandbox, such as gVisor's
		return nil, fmt.Errorf("container %s: no file is to be seen through its process %d", short(key), pid)
	}
	if now, err := r.PID(ctx, key); err != nil || now != pid {
		return nil, errors.Join(errors.New("the container ended or was started anew while it was read"), err)
	}
	return result, nil
}

// Root opens the tree of a container that runs now.
func Root(ctx context.Context, r Runtime, key string) (*os.Root, error) {
	dir, _, err := tree(ctx, r, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
}

// tree opens the tree of a container that runs now, through the process of that
// number.
func tree(ctx context.Context, r Runtime, key string) (root *os.File, pid int, err error) {
	if pid, err = r.PID(ctx, key); err != nil {
		return nil, 0, err
	}
	root, err = openRoot(pid)
	return root, pid, err
}

// openRoot opens the root directory of a process. A virtual machine around a
// container, as of Kata, has this machine's root: the container's files are not
// to be seen from here then.
func openRoot(pid int) (*os.File, error) {
	root, err := os.Open(fmt.Sprintf("/proc/%d/root", pid))
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w: the agent needs to be root on the host to read containers", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the agent reads containers from the host's process namespace alone", err)
	}
	theirs, err := root.Stat()
	for _, host := range []string{"/", "/proc/1/root"} {
		if err != nil {
			break
		}
		if ours, statErr := os.Stat(host); statErr == nil && os.SameFile(ours, theirs) {
			err = fmt.Errorf("process %d has this machine's own root: the container's files cannot be seen through it", pid)
		}
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

func collectImage(ctx context.Context, r Runtime, key string) (*collect.Result, error) {
	img, err := r.Image(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = img.Close() }()
	return collect.Image(ctx, img.Layers, collect.Options{Verify: img.Verify})
}
