package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
)

func openDocker(ctx context.Context, img *Image, ref string, s *settings) error {
	return img.fromDaemon(ctx, ref, s, append(dockerSockets(), podmanSockets()...))
}

func openPodman(ctx context.Context, img *Image, ref string, s *settings) error {
	return img.fromDaemon(ctx, ref, s, podmanSockets())
}

func dockerSockets() (sockets []string) {
	if socket, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		sockets = append(sockets, socket)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "docker.sock"))
	}
	return append(sockets, "/var/run/docker.sock")
}

func podmanSockets() (sockets []string) {
	if socket, ok := strings.CutPrefix(os.Getenv("CONTAINER_HOST"), "unix://"); ok {
		sockets = append(sockets, socket)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "podman/podman.sock"))
	}
	return append(sockets, "/run/podman/podman.sock")
}

// fromDaemon asks the first daemon that listens for the image, as docker-save
// does. Podman's service answers the same request. The manifest comes last, so
// the archive goes to a temporary file without a name.
func (i *Image) fromDaemon(ctx context.Context, ref string, s *settings, sockets []string) error {
	// What is not a reference could change the path that is asked for.
	if _, err := name.ParseReference(ref); err != nil {
		return err
	}
	if s.Socket != "" {
		sockets = []string{s.Socket}
	}
	var tried []error
	for _, socket := range sockets {
		body, err := saved(ctx, socket, ref, s.platform)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			tried = append(tried, err)
			continue
		}
		if err != nil {
			return err
		}
		defer body.Close()
		stored, err := i.spool(ctx, body, s.MaxArchive)
		if err != nil {
			return fmt.Errorf("saving the image: %w", err)
		}
		err = i.dockerArchive(ctx, stored, s)
		i.Name = cmp.Or(i.Name, ref)
		return err
	}
	return fmt.Errorf("no daemon listens: %w", errors.Join(tried...))
}

// saved is the archive of the image (Docker Engine API, "ImageGet").
func saved(ctx context.Context, socket, ref string, p platform) (io.ReadCloser, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}
	u := url.URL{Scheme: "http", Host: "docker", Path: "/images/" + ref + "/get"}
	if p.asked { // since version 1.48 of the API; before, it is not looked at
		wanted, err := json.Marshal(p.Platform)
		if err != nil {
			return nil, err
		}
		u.RawQuery = url.Values{"platform": {string(wanted)}}.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		var said struct{ Message string }
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) // the status tells as much
		return nil, fmt.Errorf("the daemon at %s answers %s: %.500s", socket, resp.Status, said.Message)
	}
	return resp.Body, nil
}
