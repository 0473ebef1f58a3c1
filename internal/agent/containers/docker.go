package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"patrol/internal/collect/image"
	"patrol/internal/wire"
)

// docker is a daemon that answers Docker's Engine API. Paths have no version: the
// daemon then speaks its newest, and what is asked here is in all since 1.24.
type docker struct {
	socket string
	http   *http.Client
}

func newDocker(socket string) *docker {
	return &docker{socket, &http.Client{Transport: &http.Transport{
		MaxIdleConns: 1, IdleConnTimeout: time.Minute,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

func (d *docker) Name() string { return Docker + ":" + d.socket }

func (d *docker) List(ctx context.Context) ([]wire.Child, error) {
	var running []struct {
		ID, Image, ImageID string
		Names              []string
		Labels             map[string]string
	}
	if err := d.get(ctx, "/containers/json", nil, &running); err != nil {
		return nil, err
	}
	var kept []struct {
		ID                    string
		RepoTags, RepoDigests []string
	}
	if err := d.get(ctx, "/images/json", nil, &kept); err != nil {
		return nil, err
	}
	children := []wire.Child{}
	for _, c := range running {
		if c.Labels["io.kubernetes.docker.type"] == "podsandbox" {
			continue
		}
		name := short(c.ID)
		if len(c.Names) > 0 {
			name = strings.TrimPrefix(c.Names[0], "/")
		}
		said := kubernetes(c.Labels, nil)
		children = append(children, child(wire.Child{
			Kind: wire.ContainerKind, Key: c.ID, Name: cmp.Or(said.name(), name), Image: wire.Image{Reference: c.Image, Digest: c.ImageID},
		}, said.labels(), c.Labels))
	}
	for _, i := range kept {
		name := reference(i.RepoTags, i.RepoDigests)
		children = append(children, child(wire.Child{
			Kind: wire.ImageKind, Key: i.ID, Name: cmp.Or(name, short(i.ID)), Image: wire.Image{Reference: name, Digest: i.ID},
		}))
	}
	return inOrder(children), nil
}

// reference is an image's first name: a tag, or else a repository with a digest.
// Docker writes <none> where there is none.
func reference(names ...[]string) string {
	for _, of := range names {
		for _, name := range of {
			if name != "" && !strings.Contains(name, "<none>") {
				return name
			}
		}
	}
	return ""
}

// changes are the events after which the list is another one. An image that is
// imported, loaded or pulled has an event of its own even without a tag.
var changes = map[string]bool{
	"container start": true, "container die": true, "container rename": true,
	"image pull": true, "image tag": true, "image untag": true, "image delete": true,
	"image import": true, "image load": true, "image create": true,
}

func (d *docker) Watch(ctx context.Context, changed func()) error {
	// The daemon answers before it listens: what happens in between is told because
	// it happened since the question.
	body, err := d.ask(ctx, "/events", url.Values{
		"since":   {strconv.FormatInt(time.Now().Unix(), 10)},
		"filters": {`{"type":["container","image"]}`},
	})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	changed()
	for events := json.NewDecoder(body); ; {
		var e struct{ Type, Action string }
		if err := events.Decode(&e); err != nil {
			if ctx.Err() == nil && errors.Is(err, io.EOF) {
				err = errEnded
			}
			return fmt.Errorf("events of docker: %w", err)
		}
		if changes[e.Type+" "+e.Action] {
			changed()
		}
	}
}

func (d *docker) PID(ctx context.Context, container string) (int, error) {
	var c struct {
		State struct {
			Running bool
			Pid     int
		}
	}
	err := d.get(ctx, "/containers/"+url.PathEscape(container)+"/json", nil, &c)
	if errors.Is(err, errAbsent) || err == nil && !c.State.Running {
		err = ErrStopped
	}
	return c.State.Pid, err
}

// Storage is where the daemon keeps the files of its containers and images.
func (d *docker) Storage(ctx context.Context) (string, error) {
	var info struct{ DockerRootDir string }
	err := d.get(ctx, "/info", nil, &info)
	return info.DockerRootDir, err
}

func (d *docker) Image(ctx context.Context, key string) (*image.Image, error) {
	return image.Open(ctx, image.Docker+":"+key, image.Options{Socket: d.socket})
}

// askTimeout is how long a runtime may take to answer a question.
const askTimeout = 30 * time.Second

// maxAnswer is how many bytes of a list are read.
const maxAnswer = 64 << 20

func (d *docker) get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	body, err := d.ask(ctx, path, query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("docker's answer to %s: %w", path, err)
	}
	return nil
}

// errAbsent says that there is no such thing.
var errAbsent = errors.New("there is none")

func (d *docker) ask(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	u := url.URL{Scheme: "http", Host: "docker", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := d.http.Do(r)
	if err != nil {
		var long *url.Error // with the whole question
		if errors.As(err, &long) {
			err = long.Err
		}
		return nil, fmt.Errorf("ask docker: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var said struct{ Message string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) // the status tells as much
	err = fmt.Errorf("docker answers %s to %s: %.500s", resp.Status, path, said.Message)
	if resp.StatusCode == http.StatusNotFound {
		err = fmt.Errorf("%w: %w", errAbsent, err)
	}
	return nil, err
}
