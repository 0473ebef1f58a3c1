package containers

import (
	"io/fs"
	"os"
	"path/filepath"
)

// sockets are where runtimes listen, by their path below the root of the machine.
// The docker daemon's own containerd is not among them: its containers are
// Docker's.
var sockets = []struct{ kind, path string }{
	{Docker, "run/docker.sock"},
	{Docker, "var/run/docker.sock"},                // where /var/run is no link to /run
	{Docker, "var/snap/docker/common/docker.sock"}, // the snap
	{Containerd, "run/containerd/containerd.sock"},
	{Containerd, "run/k3s/containerd/containerd.sock"}, // k3s and RKE2
	{Containerd, "run/k0s/containerd.sock"},
	{Containerd, "var/snap/microk8s/common/run/containerd.sock"},
	{CRI, "run/crio/crio.sock"},
}

// Find returns the names of the runtimes whose sockets there are now below root,
// each once.
func Find(root string) (names []string) {
	seen := map[string]bool{}
	for _, s := range sockets {
		real, err := filepath.EvalSymlinks(filepath.Join(root, s.path))
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		if info, err := os.Stat(real); err == nil && info.Mode().Type() == fs.ModeSocket {
			names = append(names, s.kind+":"+real)
		}
	}
	return names
}
