//go:build dockerd

package containers_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"patrol/internal/agent/containers"
	"patrol/internal/agent/containers/runtimetest"
	"patrol/internal/wire"
)

var inKubernetes = map[string]string{
	"kubernetes.namespace": "shop", "kubernetes.pod": "web-5d9c7b-x2x4z", "kubernetes.workload": "web", "kubernetes.container": "server",
	"app": "web", "pod-template-hash": "5d9c7b",
}

// wantLabels holds that the child has the labels, among others.
func wantLabels(t *testing.T, c wire.Child, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if c.Labels[key] != value {
			t.Errorf("%s: label %s is %q, want %q", c.Name, key, c.Labels[key], value)
		}
	}
}

// Containerd by its own API, beside and through its CRI plugin; and by CRI alone,
// as runtimes are asked that speak nothing else.
func TestContainerd(t *testing.T) {
	d := runtimetest.StartContainerd(t)
	d.Import("k8s.io", "pause:1", runtimetest.Tar(t, nil))
	root := runtimetest.Tar(t, runtimetest.Debian("2.5.0-1"))
	d.Import("k8s.io", "shop:1", root)
	d.Import("default", "shop:1", root)
	d.Run("default", "docker.io/library/shop:1", "plain")
	pod, stop := d.Pod("shop", "web-5d9c7b-x2x4z", "server", "docker.io/library/shop:1", map[string]string{"app": "web", "pod-template-hash": "5d9c7b"})
	const podName = "container shop/web-5d9c7b-x2x4z/server"

	for _, kind := range []string{containers.Containerd, containers.CRI} {
		t.Run(kind, func(t *testing.T) {
			r := open(t, kind+":"+d.Socket)
			list := listed(t, r)
			want := []string{podName, "image docker.io/library/pause:1", "image docker.io/library/shop:1"}
			if kind == containers.Containerd {
				want = slices.Insert(want, 0, "container plain")
			}
			if got := slices.Sorted(maps.Keys(list)); !slices.Equal(got, want) {
				t.Fatalf("listed %q, want %q", got, want)
			}
			c, i := list[podName], list["image docker.io/library/shop:1"]
			if !strings.HasSuffix(c.Key, pod) || c.Image != i.Image || c.Image.Reference != "docker.io/library/shop:1" || i.Key != i.Image.Digest {
				t.Errorf("container = %+v\nimage = %+v", c, i)
			}
			wantLabels(t, c, inKubernetes)
			found := collected(t, r, c)
			if found.Document.Distribution.ID != "debian" || !slices.ContainsFunc(found.Document.Inventory(), isExpat) {
				t.Errorf("document = %+v", found.Document)
			}
			switch image, err := containers.Collect(t.Context(), r, i.Kind, i.Key); {
			case kind == containers.CRI:
				if err == nil || !strings.Contains(err.Error(), "hands out no images") {
					t.Errorf("image through CRI: %v", err)
				}
			case err != nil:
				t.Error(err)
			case digest(image) != digest(found) || digest(collected(t, r, list["container plain"])) != digest(found):
				t.Error("the image and its containers have different inventories")
			}
		})
	}

	r, cri := open(t, "containerd:"+d.Socket), open(t, "cri:"+d.Socket)
	changed, polled := watched(t, r), watched(t, cri)
	has := func(list map[string]wire.Child) bool { return list["container second"].Key != "" }
	within(t, r, changed, "start", func() { d.Run("default", "docker.io/library/shop:1", "second") }, has)
	within(t, r, changed, "stop", func() { d.Remove("default", "second") }, func(list map[string]wire.Child) bool { return !has(list) })
	ended := func(list map[string]wire.Child) bool { return list[podName].Key == "" }
	within(t, cri, polled, "stop, by CRI", stop, ended)
	within(t, r, changed, "stop of a pod's container", func() {}, ended)
	for _, r := range []containers.Runtime{r, cri} {
		key := strings.TrimPrefix("k8s.io/"+pod, map[bool]string{true: "k8s.io/"}[r == cri])
		if _, err := containers.Collect(t.Context(), r, wire.ContainerKind, key); !errors.Is(err, containers.ErrStopped) {
			t.Errorf("%s: a stopped container: %v", r.Name(), err)
		}
	}
	within(t, r, changed, "remove image", func() { d.Ctr("k8s.io", "images", "rm", "docker.io/library/pause:1") }, func(list map[string]wire.Child) bool {
		return list["image docker.io/library/pause:1"].Key == ""
	})
}
