package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"patrol/internal/collect/image"
	"patrol/internal/wire"
)

// cri is a runtime of Kubernetes that speaks nothing else, such as CRI-O.
type cri struct {
	socket  string
	runtime runtime.RuntimeServiceClient
	images  runtime.ImageServiceClient
}

func newCRI(socket string) (*cri, error) {
	conn, err := dial(socket)
	if err != nil {
		return nil, err
	}
	return &cri{socket, runtime.NewRuntimeServiceClient(conn), runtime.NewImageServiceClient(conn)}, nil
}

func (c *cri) Name() string { return CRI + ":" + c.socket }

func (c *cri) List(ctx context.Context) ([]wire.Child, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	sandboxes, err := c.runtime.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{})
	if err != nil {
		return nil, fmt.Errorf("list CRI's pods: %w", err)
	}
	pods := map[string]map[string]string{} // their labels
	for _, s := range sandboxes.Items {
		pods[s.Id] = s.Labels
	}
	running, err := c.runtime.ListContainers(ctx, &runtime.ListContainersRequest{Filter: &runtime.ContainerFilter{
		State: &runtime.ContainerStateValue{State: runtime.ContainerState_CONTAINER_RUNNING},
	}})
	if err != nil {
		return nil, fmt.Errorf("list CRI's containers: %w", err)
	}
	kept, err := c.images.ListImages(ctx, &runtime.ListImagesRequest{})
	if err != nil {
		return nil, fmt.Errorf("list CRI's images: %w", err)
	}
	children := []wire.Child{}
	names := map[string]string{} // of images, by id
	for _, i := range kept.Images {
		names[i.Id] = reference(i.RepoTags, i.RepoDigests)
		children = append(children, child(wire.Child{
			Kind: wire.ImageKind, Key: i.Id, Name: cmp.Or(names[i.Id], short(i.Id)), Image: wire.Image{Reference: names[i.Id], Digest: i.Id},
		}))
	}
	for _, r := range running.Containers {
		pod := pods[r.PodSandboxId]
		said := kubernetes(r.Labels, pod)
		id := cmp.Or(r.ImageId, r.ImageRef)
		children = append(children, child(wire.Child{
			Kind: wire.ContainerKind, Key: r.Id, Name: cmp.Or(said.name(), r.GetMetadata().GetName(), short(r.Id)),
			Image: wire.Image{Reference: cmp.Or(r.GetImage().GetUserSpecifiedImage(), names[id], r.GetImage().GetImage()), Digest: id},
		}, said.labels(), pod, r.Labels))
	}
	return inOrder(children), nil
}

// CRI has no events of images, and those of containers may be turned off
// (CRI-O's enable_pod_events) or be unknown (before Kubernetes 1.27). Then it is
// asked every two seconds, as the kubelet does.
const (
	pollImages     = 30 * time.Second
	pollContainers = 2 * time.Second
)

func (c *cri) Watch(ctx context.Context, changed func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := c.runtime.GetContainerEvents(ctx, &runtime.GetEventsRequest{})
	if err != nil {
		return fmt.Errorf("events of CRI: %w", err)
	}
	told := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				told <- err
				return
			}
			changed()
		}
	}()
	ticker := time.NewTicker(pollContainers) // until the events are known to come
	defer ticker.Stop()
	for ticks := 0; ; ticks++ {
		changed()
		select {
		case err := <-told:
			switch {
			case status.Code(err) == codes.Unimplemented:
				return c.poll(ctx, changed)
			case errors.Is(err, io.EOF):
				err = errEnded
			}
			return fmt.Errorf("events of CRI: %w", err)
		case <-ticker.C:
			if ticks == 0 {
				ticker.Reset(pollImages)
			}
		}
	}
}

func (c *cri) poll(ctx context.Context, changed func()) error {
	ticker := time.NewTicker(pollContainers)
	defer ticker.Stop()
	for {
		changed()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// PID reads what the verbose status holds besides; CRI-O and containerd write it
// alike, as JSON.
func (c *cri) PID(ctx context.Context, container string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	got, err := c.runtime.ContainerStatus(ctx, &runtime.ContainerStatusRequest{ContainerId: container, Verbose: true})
	switch {
	case status.Code(err) == codes.NotFound:
		return 0, ErrStopped
	case err != nil:
		return 0, fmt.Errorf("ask CRI for the status of %s: %w", container, err)
	case got.Status.State != runtime.ContainerState_CONTAINER_RUNNING:
		return 0, ErrStopped
	}
	var info struct{ PID int }
	if err := json.Unmarshal([]byte(got.Info["info"]), &info); err != nil || info.PID == 0 {
		return 0, fmt.Errorf("the runtime at %s does not say which process container %s has", c.socket, container)
	}
	return info.PID, nil
}

// Image fails: CRI lists images, and hands out none.
func (c *cri) Image(context.Context, string) (*image.Image, error) {
	return nil, fmt.Errorf("the runtime at %s hands out no images: scan a container of it, or the image in its registry", c.socket)
}
