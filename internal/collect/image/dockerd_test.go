//go:build dockerd

package image_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"patrol/internal/collect/image"
)

// TestDockerd needs root and the docker.io package: it starts a daemon of its own.
func TestDockerd(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "d.sock")
	daemon := exec.Command("dockerd", "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "-H", "unix://"+socket, "--iptables=false", "--bridge=none", "--storage-driver=vfs")
	var said bytes.Buffer
	daemon.Stdout, daemon.Stderr = &said, &said
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM) // it may have ended
		<-ended
	})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := client.Get("http://docker/_ping")
		if err == nil {
			resp.Body.Close()
			break
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("dockerd: %v\n%s", err, said.String())
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
	root := tarOf(t, part{name: "app/node_modules/a/package.json", content: `{"name":"a","version":"1.0.0"}`})
	resp, err := client.Post("http://docker/images/create?fromSrc=-&repo=shop&tag=1", "application/x-tar", bytes.NewReader(root))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %s", err, resp.Status)
	}
	img, got := found(t, "docker:shop:1", image.Options{Socket: socket})
	if len(got) != 1 || !strings.HasPrefix(got[0], "a: ") || img.Name != "shop:1" || len(img.Layers) != 1 {
		t.Errorf("%q, %+v", got, img)
	}
	if _, err := image.Open(t.Context(), "docker:absent", image.Options{Socket: socket}); err == nil || !strings.Contains(err.Error(), "No such image") && !strings.Contains(err.Error(), "absent") {
		t.Errorf("absent: %v", err)
	}
}
