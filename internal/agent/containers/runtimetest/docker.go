package runtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
)

// Docker is a dockerd without networks.
type Docker struct {
	t    *testing.T
	http *http.Client
	// Dir is where it keeps everything.
	Dir string
	// Socket is where it listens, and Containerd where its own containerd does.
	Socket, Containerd string
	stop               func()
}

// StartDocker starts a dockerd.
func StartDocker(t *testing.T) *Docker {
	t.Helper()
	d := &Docker{t: t, Dir: t.TempDir()}
	d.Socket, d.Containerd = filepath.Join(d.Dir, "d.sock"), filepath.Join(d.Dir, "exec/containerd/containerd.sock")
	d.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.Socket)
	}}}
	d.Start()
	return d
}

// Start starts it again over its data.
func (d *Docker) Start() {
	d.t.Helper()
	d.stop = start(d.t, func() bool {
		resp, err := d.http.Get("http://docker/_ping")
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	}, "dockerd", "--data-root", filepath.Join(d.Dir, "data"), "--exec-root", filepath.Join(d.Dir, "exec"),
		"--pidfile", filepath.Join(d.Dir, "pid"), "-H", "unix://"+d.Socket, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs")
}

// Stop ends it, and its containers with it.
func (d *Docker) Stop() { d.stop() }

// Import makes an image of the archive of a root file system. Its containers run
// the command, or else /pause.
func (d *Docker) Import(repository, tag string, root []byte, command ...string) {
	d.t.Helper()
	if len(command) == 0 {
		command = []string{"/pause"}
	}
	list, err := json.Marshal(command)
	if err != nil {
		d.t.Fatal(err)
	}
	query := url.Values{"fromSrc": {"-"}, "repo": {repository}, "tag": {tag}, "changes": {"CMD " + string(list)}}
	d.do(http.MethodPost, "/images/create?"+query.Encode(), "application/x-tar", root, nil)
}

// Run starts a container, and returns its id.
func (d *Docker) Run(name, image string, labels map[string]string, binds ...string) string {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{
		"Image": image, "Labels": labels, "HostConfig": map[string]any{"NetworkMode": "none", "Binds": binds},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	var made struct{ ID string }
	d.do(http.MethodPost, "/containers/create?name="+name, "application/json", body, &made)
	d.do(http.MethodPost, "/containers/"+made.ID+"/start", "", nil, nil)
	d.t.Cleanup(func() { d.try(http.MethodDelete, "/containers/"+made.ID+"?force=1") })
	return made.ID
}

// StartContainer starts a container that was stopped.
func (d *Docker) StartContainer(id string) {
	d.t.Helper()
	d.do(http.MethodPost, "/containers/"+id+"/start", "", nil, nil)
}

// StopContainer stops a container, which stays.
func (d *Docker) StopContainer(id string) {
	d.t.Helper()
	d.do(http.MethodPost, "/containers/"+id+"/stop", "", nil, nil)
}

// RemoveImage removes an image by its name.
func (d *Docker) RemoveImage(name string) {
	d.t.Helper()
	d.do(http.MethodDelete, "/images/"+name, "", nil, nil)
}

// try asks for what may not matter any more.
func (d *Docker) try(method, path string) {
	if r, err := http.NewRequest(method, "http://docker"+path, nil); err == nil {
		if resp, err := d.http.Do(r); err == nil {
			_ = resp.Body.Close()
		}
	}
}

func (d *Docker) do(method, path, kind string, body []byte, into any) {
	d.t.Helper()
	r, err := http.NewRequest(method, "http://docker"+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := d.http.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		d.t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, said, err)
	}
	if into != nil {
		if err := json.Unmarshal(said, into); err != nil {
			d.t.Fatal(err)
		}
	}
}
