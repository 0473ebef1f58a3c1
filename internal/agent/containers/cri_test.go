package containers

import (
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// eventful is a runtime that tells of containers, as CRI-O may; Debian's containerd
// is too old to.
type eventful struct {
	runtime.UnimplementedRuntimeServiceServer
	happened chan struct{}
}

func (e *eventful) GetContainerEvents(_ *runtime.GetEventsRequest, out grpc.ServerStreamingServer[runtime.ContainerEventResponse]) error {
	for range e.happened {
		if err := out.Send(&runtime.ContainerEventResponse{ContainerId: "1", ContainerEventType: runtime.ContainerEventType_CONTAINER_STARTED_EVENT}); err != nil {
			return err
		}
	}
	return nil
}

func TestEventsOfCRI(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "cri.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	service, server := &eventful{happened: make(chan struct{})}, grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(server, service)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	r, err := newCRI(socket)
	if err != nil {
		t.Fatal(err)
	}
	changed, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- r.Watch(t.Context(), func() { changed <- struct{}{} }) }()
	<-changed // it listens
	for range 3 {
		service.happened <- struct{}{}
		<-changed
	}
	close(service.happened)
	if err := <-ended; err == nil {
		t.Error("Watch returned nil")
	}
}
