package runtimetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Containerd is a containerd with its CRI plugin.
type Containerd struct {
	t      *testing.T
	dir    string
	Socket string
	cri    runtime.RuntimeServiceClient
}

// StartContainerd starts a containerd.
func StartContainerd(t *testing.T) *Containerd {
	t.Helper()
	c := &Containerd{t: t, dir: t.TempDir()}
	c.Socket = filepath.Join(c.dir, "c.sock")
	config := filepath.Join(c.dir, "config.toml")
	text := fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
`, filepath.Join(c.dir, "root"), filepath.Join(c.dir, "state"), c.Socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient("unix://"+c.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.cri = runtime.NewRuntimeServiceClient(conn)
	start(t, func() bool {
		_, err := c.cri.Version(t.Context(), &runtime.VersionRequest{})
		return err == nil
	}, "containerd", "--config", config)
	return c
}

// Ctr runs containerd's own command line in a namespace.
func (c *Containerd) Ctr(namespace string, args ...string) {
	c.t.Helper()
	if err := c.ctr(nil, namespace, args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Containerd) ctr(in io.Reader, namespace string, args ...string) error {
	ctr := exec.Command("ctr", append([]string{"-a", c.Socket, "-n", namespace}, args...)...)
	ctr.Stdin = in
	if said, err := ctr.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", ctr.Args, err, said)
	}
	return nil
}

// Import makes an image of the archive of a root file system.
func (c *Containerd) Import(namespace, reference string, root []byte) {
	c.t.Helper()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(root)), nil })
	if err != nil {
		c.t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		c.t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		c.t.Fatal(err)
	}
	config.OS, config.Architecture, config.Config = "linux", goruntime.GOARCH, v1.Config{Cmd: []string{"/pause"}}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		c.t.Fatal(err)
	}
	tag, err := name.NewTag(reference)
	if err != nil {
		c.t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := tarball.Write(tag, img, &archive); err != nil {
		c.t.Fatal(err)
	}
	if err := c.ctr(&archive, namespace, "images", "import", "--snapshotter", "native", "-"); err != nil {
		c.t.Fatal(err)
	}
}

// Run starts a container in a namespace.
func (c *Containerd) Run(namespace, image, id string) {
	c.t.Helper()
	c.Ctr(namespace, "run", "-d", "--snapshotter", "native", image, id)
	c.t.Cleanup(func() { c.Remove(namespace, id) })
}

// Remove kills a container and removes it, if it is there.
func (c *Containerd) Remove(namespace, id string) {
	c.t.Helper()
	// Each may be done already.
	_ = c.ctr(nil, namespace, "tasks", "rm", "-f", id)
	_ = c.ctr(nil, namespace, "containers", "rm", id)
}

// Pod starts a pod of one container as the kubelet does, and returns the
// container's id and what stops it.
func (c *Containerd) Pod(namespace, pod, container, image string, labels map[string]string) (id string, stop func()) {
	c.t.Helper()
	all := Merged(labels, map[string]string{
		"io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.name": pod, "io.kubernetes.pod.uid": "uid of " + pod,
	})
	host := &runtime.NamespaceOption{Network: runtime.NamespaceMode_NODE, Pid: runtime.NamespaceMode_CONTAINER}
	config := &runtime.PodSandboxConfig{
		Metadata: &runtime.PodSandboxMetadata{Name: pod, Namespace: namespace, Uid: "uid of " + pod}, Labels: all,
		Linux: &runtime.LinuxPodSandboxConfig{SecurityContext: &runtime.LinuxSandboxSecurityContext{NamespaceOptions: host}},
	}
	sandbox, err := c.cri.RunPodSandbox(c.t.Context(), &runtime.RunPodSandboxRequest{Config: config})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		ctx := context.Background()
		_, _ = c.cri.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
		_, _ = c.cri.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: sandbox.PodSandboxId})
	})
	made, err := c.cri.CreateContainer(c.t.Context(), &runtime.CreateContainerRequest{
		PodSandboxId: sandbox.PodSandboxId, SandboxConfig: config,
		Config: &runtime.ContainerConfig{
			Metadata: &runtime.ContainerMetadata{Name: container}, Image: &runtime.ImageSpec{Image: image},
			Labels: map[string]string{
				"io.kubernetes.container.name": container, "io.kubernetes.pod.namespace": namespace,
				"io.kubernetes.pod.name": pod, "io.kubernetes.pod.uid": "uid of " + pod,
			},
			Linux: &runtime.LinuxContainerConfig{SecurityContext: &runtime.LinuxContainerSecurityContext{NamespaceOptions: host}},
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.cri.StartContainer(c.t.Context(), &runtime.StartContainerRequest{ContainerId: made.ContainerId}); err != nil {
		c.t.Fatal(err)
	}
	return made.ContainerId, func() {
		if _, err := c.cri.StopContainer(context.Background(), &runtime.StopContainerRequest{ContainerId: made.ContainerId, Timeout: 5}); err != nil {
			c.t.Error(err)
		}
	}
}
