package containers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/containerd/containerd/api/events"
	containerapi "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/content/v1"
	eventapi "github.com/containerd/containerd/api/services/events/v1"
	imageapi "github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"patrol/internal/collect/image"
	"patrol/internal/wire"
)

// containerd is a containerd daemon. What its CRI plugin runs for Kubernetes is a
// namespace like any other, whose containers carry CRI's labels; so CRI itself
// need not be asked, whose plugin may be off, and which hands out no images.
type containerd struct {
	socket     string
	containers containerapi.ContainersClient
	content    content.ContentClient
	events     eventapi.EventsClient
	images     imageapi.ImagesClient
	namespaces namespaces.NamespacesClient
	tasks      tasks.TasksClient
}

func newContainerd(socket string) (*containerd, error) {
	conn, err := dial(socket)
	if err != nil {
		return nil, err
	}
	return &containerd{
		socket, containerapi.NewContainersClient(conn), content.NewContentClient(conn), eventapi.NewEventsClient(conn),
		imageapi.NewImagesClient(conn), namespaces.NewNamespacesClient(conn), tasks.NewTasksClient(conn),
	}, nil
}

func (c *containerd) Name() string { return Containerd + ":" + c.socket }

// foreign are the namespaces of Docker, which lists its containers itself.
var foreign = map[string]bool{"moby": true, "plugins.moby": true}

// in is the context of what is asked of a namespace.
func in(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
}

func (c *containerd) List(ctx context.Context) ([]wire.Child, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	spaces, err := c.spaces(ctx)
	if err != nil {
		return nil, err
	}
	children := []wire.Child{}
	known := map[string]int{} // image → its place among the children
	for _, space := range spaces {
		kept, err := c.images.List(in(ctx, space), &imageapi.ListImagesRequest{})
		if err != nil {
			return nil, fmt.Errorf("list containerd's images in %s: %w", space, err)
		}
		digests := map[string]string{}
		for _, i := range kept.Images {
			digest := i.GetTarget().GetDigest()
			digests[i.Name] = digest
			at, have := known[digest]
			if !have {
				at, known[digest] = len(children), len(children)
				children = append(children, wire.Child{Kind: wire.ImageKind, Key: digest, Image: wire.Image{Digest: digest}})
			}
			children[at].Image.Reference = better(children[at].Image.Reference, i.Name)
		}
		running, err := c.running(ctx, space)
		if err != nil {
			return nil, err
		}
		for _, r := range running {
			r.Image.Digest = digests[r.Image.Reference]
			if at, have := known[r.Image.Digest]; have {
				r.Image.Reference = better(r.Image.Reference, children[at].Image.Reference)
			}
			children = append(children, r)
		}
	}
	for _, at := range known {
		i := children[at]
		i.Name = cmp.Or(better("", i.Image.Reference), short(i.Key))
		children[at] = child(i)
	}
	return inOrder(children), nil
}

// spaces are the namespaces that are containerd's own.
func (c *containerd) spaces(ctx context.Context) (names []string, err error) {
	all, err := c.namespaces.List(ctx, &namespaces.ListNamespacesRequest{})
	if err != nil {
		return nil, fmt.Errorf("list containerd's namespaces: %w", err)
	}
	for _, space := range all.Namespaces {
		if !foreign[space.Name] {
			names = append(names, space.Name)
		}
	}
	return names, nil
}

// better is the name of an image that says more: one with a tag before one with a
// digest, and the digest alone last. CRI's plugin keeps all three.
func better(a, b string) string {
	rank := func(name string) int {
		switch {
		case name == "":
			return 0
		case strings.HasPrefix(name, "sha256:"):
			return 1
		case strings.Contains(name, "@"):
			return 2
		}
		return 3
	}
	if rank(b) > rank(a) || rank(b) == rank(a) && b < a {
		return b
	}
	return a
}

// running are the containers of a namespace that have a process; of their images
// they know the name alone.
func (c *containerd) running(ctx context.Context, space string) ([]wire.Child, error) {
	list, err := c.tasks.List(in(ctx, space), &tasks.ListTasksRequest{})
	if err != nil {
		return nil, fmt.Errorf("list containerd's tasks in %s: %w", space, err)
	}
	runs := map[string]bool{}
	for _, t := range list.Tasks {
		// A task of the list has its container's id for its own.
		if t.Status == task.Status_RUNNING || t.Status == task.Status_PAUSED || t.Status == task.Status_PAUSING {
			runs[t.ID] = true
		}
	}
	stream, err := c.containers.ListStream(in(ctx, space), &containerapi.ListContainersRequest{})
	if err != nil {
		return nil, fmt.Errorf("list containerd's containers in %s: %w", space, err)
	}
	var found []*containerapi.Container
	pods := map[string]map[string]string{} // their labels, by uid
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("list containerd's containers in %s: %w", space, err)
		}
		switch labels := m.Container.Labels; {
		case labels["io.cri-containerd.kind"] == "sandbox":
			pods[labels["io.kubernetes.pod.uid"]] = labels
		case runs[m.Container.ID]:
			found = append(found, m.Container)
		}
	}
	children := make([]wire.Child, len(found))
	for i, f := range found {
		pod := pods[f.Labels["io.kubernetes.pod.uid"]]
		said := kubernetes(f.Labels, pod)
		children[i] = child(wire.Child{
			Kind: wire.ContainerKind, Key: space + "/" + f.ID,
			Name:  cmp.Or(said.name(), f.Labels["nerdctl/name"], short(f.ID)),
			Image: wire.Image{Reference: f.Image},
		}, said.labels(), pod, f.Labels)
	}
	return children, nil
}

// topics are the events after which the list is another one.
var topics = []string{
	`topic=="/tasks/start"`, `topic=="/tasks/exit"`, `topic=="/tasks/delete"`, `topic=="/containers/update"`,
	`topic=="/images/create"`, `topic=="/images/update"`, `topic=="/images/delete"`,
}

func (c *containerd) Watch(ctx context.Context, changed func()) error {
	stream, err := c.events.Subscribe(ctx, &eventapi.SubscribeRequest{Filters: topics})
	if err != nil {
		return fmt.Errorf("events of containerd: %w", err)
	}
	changed()
	for {
		envelope, err := stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errEnded
			}
			return fmt.Errorf("events of containerd: %w", err)
		}
		if !foreign[envelope.Namespace] && !isExec(envelope) {
			changed()
		}
	}
}

// isExec tells of the end of a process that is not its container's first, such as
// a probe of its health.
func isExec(envelope *types.Envelope) bool {
	var exit events.TaskExit
	return envelope.Topic == "/tasks/exit" && envelope.Event.UnmarshalTo(&exit) == nil && exit.ID != exit.ContainerID
}

func (c *containerd) PID(ctx context.Context, container string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	space, id, _ := strings.Cut(container, "/")
	got, err := c.tasks.Get(in(ctx, space), &tasks.GetRequest{ContainerID: id})
	switch {
	case status.Code(err) == codes.NotFound:
		return 0, ErrStopped
	case err != nil:
		return 0, fmt.Errorf("ask containerd for the task of %s: %w", container, err)
	case got.Process.Status == task.Status_STOPPED || got.Process.Pid == 0:
		return 0, ErrStopped
	}
	return int(got.Process.Pid), nil
}

// Image reads an image from the first namespace that has it. A containerd that
// discards layers once they are unpacked has none to hand out.
func (c *containerd) Image(ctx context.Context, key string) (*image.Image, error) {
	spaces, err := c.spaces(ctx)
	if err != nil {
		return nil, err
	}
	for _, space := range spaces {
		ctx := in(ctx, space)
		if _, err := c.content.Info(ctx, &content.InfoRequest{Digest: key}); status.Code(err) == codes.NotFound {
			continue
		}
		return image.FromBlobs(ctx, key, func(ctx context.Context, digest string) (io.ReadCloser, error) {
			return c.blob(ctx, digest)
		}, image.Options{})
	}
	return nil, fmt.Errorf("containerd does not have the image %s any more", key)
}

// blob reads a blob of containerd's content store.
func (c *containerd) blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := c.content.Read(ctx, &content.ReadContentRequest{Digest: digest})
	if err != nil {
		cancel()
		return nil, err
	}
	return &blob{stream: stream, cancel: cancel}, nil
}

// blob is a stream of chunks as a reader.
type blob struct {
	stream grpc.ServerStreamingClient[content.ReadContentResponse]
	cancel context.CancelFunc
	rest   []byte
}

func (b *blob) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		chunk, err := b.stream.Recv()
		if status.Code(err) == codes.NotFound {
			err = errors.New("containerd has discarded it: it keeps no layers that are unpacked (discard_unpacked_layers); scan a container of the image")
		}
		if err != nil {
			return 0, err
		}
		b.rest = chunk.Data
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *blob) Close() error {
	b.cancel()
	return nil
}
