package containers

import (
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// maxMessage is how many bytes a runtime may answer, in gRPC: as much as kubelet
// takes.
const maxMessage = 16 << 20

// dial prepares a connection to a socket; it is made when it is needed, and made
// again when it was lost. What can open the socket may do anything on the machine,
// so there is nothing that TLS could add.
func dial(socket string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)), grpc.WithNoProxy())
	if err != nil {
		return nil, fmt.Errorf("prepare to ask %s: %w", socket, err)
	}
	return conn, nil
}
