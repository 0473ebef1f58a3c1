package wire

import (
	"context"
	"errors"
)

// ErrOlder says that the console does not know the call: it is older than the
// agent.
var ErrOlder = errors.New("the console is older than this agent")

// ChangedRequest says where packages have changed since the console was last told,
// or last given a scan.
type ChangedRequest struct {
	// Host is for the agent's host itself.
	Host     bool       `json:"host,omitempty"`
	Children []ChildKey `json:"children,omitempty"`
}

// ChangedResponse takes all of it but for the children that the console was not told
// of yet: they are to be named again.
type ChangedResponse struct {
	Unknown []ChildKey `json:"unknown,omitempty"`
}

// Changed says that packages changed; ErrOlder from a console that scans only when
// it is asked to.
func (c *Client) Changed(ctx context.Context, in ChangedRequest) (out ChangedResponse, err error) {
	return out, c.call(ctx, c.Credential, "changed", in, &out)
}
