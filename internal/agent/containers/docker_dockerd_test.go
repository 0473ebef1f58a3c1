//go:build dockerd

package containers_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/agent/containers"
	"patrol/internal/agent/containers/runtimetest"
	"patrol/internal/collect"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

func open(t *testing.T, name string) containers.Runtime {
	t.Helper()
	r, err := containers.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// listed returns what a runtime lists, by kind and name.
func listed(t *testing.T, r containers.Runtime) map[string]wire.Child {
	t.Helper()
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]wire.Child{}
	for _, c := range list {
		by[c.Kind+" "+c.Name] = c
	}
	return by
}

func collected(t *testing.T, r containers.Runtime, c wire.Child) *collect.Result {
	t.Helper()
	result, err := containers.Collect(t.Context(), r, c.Kind, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Errorf("%s: %v", c.Name, result.Warnings)
	}
	return result
}

func digest(r *collect.Result) string { return sbom.InventoryDigest(r.Document.Inventory()) }

func isExpat(k sbom.Key) bool { return k.Name == "libexpat1" && k.SourceName == "expat" }

// watched follows a runtime, and passes on that something changed.
func watched(t *testing.T, r containers.Runtime) <-chan struct{} {
	t.Helper()
	changed := make(chan struct{}, 100)
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(t.Context(), func() { changed <- struct{}{} }) }()
	t.Cleanup(func() {
		if err := <-ended; err == nil {
			t.Error("Watch returned nil")
		}
	})
	<-changed // it listens
	return changed
}

// within runs what changes the list, and holds that the runtime tells of it within
// five seconds: that the list is as wanted then, asked whenever something changed
// and once more a second later.
func within(t *testing.T, r containers.Runtime, changed <-chan struct{}, what string, change func(), wanted func(map[string]wire.Child) bool) {
	t.Helper()
	change()
	began := time.Now()
	again := time.NewTimer(time.Hour)
	for deadline := time.After(5 * time.Second); ; {
		select {
		case <-changed:
			again.Reset(time.Second)
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: not known after 5 s", what)
		}
		if wanted(listed(t, r)) {
			t.Logf("%s: known after %v", what, time.Since(began).Round(time.Millisecond))
			return
		}
	}
}

func TestDockerd(t *testing.T) {
	d := runtimetest.StartDocker(t)
	d.Import("shop", "1", runtimetest.Tar(t, runtimetest.Debian("2.5.0-1")))
	d.Import("scratch", "1", runtimetest.Tar(t, map[string]string{"app/node_modules/a/package.json": `{"name":"a","version":"1.0.0"}`}))
	volume := t.TempDir()
	if err := os.MkdirAll(filepath.Join(volume, "node_modules/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volume, "node_modules/b/package.json"), []byte(`{"name":"b","version":"2.0.0"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	one := d.Run("one", "shop:1", map[string]string{"tier": "web"})
	d.Run("two", "shop:1", nil, "/:/host:ro")
	d.Run("three", "scratch:1", nil, volume+":/data")

	r := open(t, "docker:"+d.Socket)
	list := listed(t, r)
	if got, want := slices.Sorted(maps.Keys(list)), []string{"container one", "container three", "container two", "image scratch:1", "image shop:1"}; !slices.Equal(got, want) {
		t.Fatalf("listed %q, want %q", got, want)
	}
	c, i := list["container one"], list["image shop:1"]
	if c.Key != one || c.Image.Reference != "shop:1" || c.Image.Digest != i.Key || c.Labels["tier"] != "web" || !strings.HasPrefix(i.Key, "sha256:") || i.Image != c.Image {
		t.Errorf("container = %+v\nimage = %+v", c, i)
	}

	// Two containers of one image, and the image, have one inventory, though the
	// second sees its host's tree besides.
	image, first, second := collected(t, r, i), collected(t, r, c), collected(t, r, list["container two"])
	if !slices.ContainsFunc(image.Document.Inventory(), isExpat) || digest(first) != digest(image) || digest(second) != digest(image) {
		t.Errorf("inventories: %s, %s, %s", digest(image), digest(first), digest(second))
	}
	if first.Document.Distribution.ID != "debian" || second.Files > 100 {
		t.Errorf("distribution = %+v; %d files were read in the second", first.Document.Distribution, second.Files)
	}
	var names []string
	for _, c := range collected(t, r, list["container three"]).Document.Components {
		if c.Ecosystem == "npm" {
			names = append(names, c.Name)
		}
	}
	if want := []string{"a", "b"}; !slices.Equal(names, want) {
		t.Errorf("components of the container with a volume: %q, want %q", names, want)
	}

	changed := watched(t, r)
	has := func(name string) func(map[string]wire.Child) bool {
		return func(list map[string]wire.Child) bool { return list[name].Key != "" }
	}
	hasNot := func(name string) func(map[string]wire.Child) bool {
		return func(list map[string]wire.Child) bool { return list[name].Key == "" }
	}
	var four string
	within(t, r, changed, "start", func() { four = d.Run("four", "shop:1", nil) }, has("container four"))
	within(t, r, changed, "stop", func() { d.StopContainer(four) }, hasNot("container four"))
	if _, err := containers.Collect(t.Context(), r, wire.ContainerKind, four); !errors.Is(err, containers.ErrStopped) {
		t.Errorf("a stopped container: %v", err)
	}
	within(t, r, changed, "start again", func() { d.StartContainer(four) }, has("container four"))
	within(t, r, changed, "import", func() { d.Import("new", "1", runtimetest.Tar(t, nil)) }, has("image new:1"))
	within(t, r, changed, "remove image", func() { d.RemoveImage("new:1") }, hasNot("image new:1"))

	// Docker's containerd lists the same containers in a namespace that is left to
	// Docker.
	if list := listed(t, open(t, "containerd:"+d.Containerd)); len(list) > 0 {
		t.Errorf("listed by docker's containerd: %v", list)
	}
	if _, err := containers.Collect(t.Context(), r, wire.ContainerKind, "absent"); !errors.Is(err, containers.ErrStopped) {
		t.Errorf("an absent container: %v", err)
	}
	if _, err := containers.Collect(t.Context(), r, wire.ImageKind, "sha256:"+strings.Repeat("0", 64)); err == nil {
		t.Error("an absent image was read")
	}
}
