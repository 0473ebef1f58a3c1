package image_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect/image"
)

// listen answers on a unix socket.
func listen(t *testing.T, handler http.HandlerFunc) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return socket
}

// The part of a daemon's API that is asked for; dockerd_test.go has a real one.
func TestDaemonAPI(t *testing.T) {
	data := dockerArchive(t, false, layerOf(t, "a"))
	socket := listen(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/images/example.com/shop:1/get" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"message":"No such image"}`)) // the client has gone if it fails
			return
		}
		_, _ = w.Write(data)
	})
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, kind := range []string{"docker:", "podman:"} {
		img, got := found(t, kind+"example.com/shop:1", image.Options{Socket: socket})
		if !slices.Equal(got, []string{"a: RUN step 0"}) || img.Name != "shop:1" {
			t.Errorf("%s: %q, %+v", kind, got, img)
		}
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("in the temporary directory: %v, %v", left, err)
		}
	}
	tests := []struct {
		target, want string
		opts         image.Options
	}{
		{"docker:absent", "404 Not Found: No such image", image.Options{Socket: socket}},
		{"docker:../../containers/json?", "could not parse reference", image.Options{Socket: socket}},
		{"docker:example.com/shop:1", "more than 100 bytes", image.Options{Socket: socket, MaxArchive: 100}},
		{"docker:example.com/shop:1", "it is for linux/amd64, not for linux/arm64", image.Options{Socket: socket, Platform: "linux/arm64"}},
		{"docker:shop", "no daemon listens", image.Options{Socket: filepath.Join(temporary, "absent")}},
	}
	for _, tt := range tests {
		img, err := image.Open(t.Context(), tt.target, tt.opts)
		if err == nil {
			img.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v does not say %q", tt.target, err, tt.want)
		}
	}
}

func TestDaemonSockets(t *testing.T) {
	socket := listen(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(dockerArchive(t, false, layerOf(t, "a")))
	})
	// The first does not listen, the second does.
	t.Setenv("DOCKER_HOST", "unix://"+socket+".absent")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("CONTAINER_HOST", "unix://"+socket)
	if _, got := found(t, "podman:shop", image.Options{}); !slices.Equal(got, []string{"a: RUN step 0"}) {
		t.Errorf("got %q", got)
	}
}
