package wire

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrLost says that a command is no longer the agent's.
var ErrLost = errors.New("the command is no longer this agent's")

// ErrUnknown says that the console does not accept the credential.
var ErrUnknown = errors.New("the console does not accept this agent's credential")

// ErrRefused says that the console understood and will say the same again: the
// document is too large, the protocol is another one.
var ErrRefused = errors.New("the console refuses this")

// ErrShared says that the credential belongs to another machine, which is there
// now: this one is its clone.
var ErrShared = errors.New("another agent uses this credential")

// Client speaks to one console.
type Client struct {
	// Console is its base URL.
	Console *url.URL
	HTTP    *http.Client
	// Credential is the secret of every call but Register.
	Credential string
}

// callTimeout ends a call that hangs; a document may take longer.
const (
	callTimeout = 30 * time.Second
	sendTimeout = 10 * time.Minute
)

// Register asks for a node with an enrolment token.
func (c *Client) Register(ctx context.Context, token string, in RegisterRequest) (out RegisterResponse, err error) {
	return out, c.call(ctx, token, "register", in, &out)
}

// Heartbeat says that the agent is there.
func (c *Client) Heartbeat(ctx context.Context, facts Facts) (out HeartbeatResponse, err error) {
	return out, c.call(ctx, c.Credential, "heartbeat", facts, &out)
}

// Children says what there is on the host, or what changed.
func (c *Client) Children(ctx context.Context, in ChildrenRequest) error {
	return c.call(ctx, c.Credential, "children", in, nil)
}

// Claim asks for something to do.
func (c *Client) Claim(ctx context.Context) (out ClaimResponse, err error) {
	return out, c.call(ctx, c.Credential, "commands/claim", struct{}{}, &out)
}

// Extend keeps a command; ErrLost if it is no longer the agent's.
func (c *Client) Extend(ctx context.Context, command Command) error {
	return c.call(ctx, c.Credential, "commands/"+command.ID+"/extend", ExtendRequest{command.LeaseID}, nil)
}

// Finish ends a command; ErrLost if it is no longer the agent's.
func (c *Client) Finish(ctx context.Context, command Command, in FinishRequest) (out FinishResponse, err error) {
	in.LeaseID = command.LeaseID
	return out, c.call(ctx, c.Credential, "commands/"+command.ID+"/finish", in, &out)
}

// Send uploads a document under its digest.
func (c *Client) Send(ctx context.Context, digest string, encoded []byte) error {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(encoded); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return c.do(ctx, http.MethodPut, "sboms/"+digest, c.Credential, &packed, nil)
}

// Stream calls wake whenever there may be something to claim, until the stream
// ends. It fails if nothing was heard for three pings.
func (c *Client) Stream(ctx context.Context, wake func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(3*PingInterval, func() { cancel(errors.New("the console went silent")) })
	defer silence.Stop()
	resp, err := c.send(ctx, http.MethodGet, "stream", c.Credential, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		silence.Reset(3 * PingInterval)
		if lines.Text() == "event: wake" {
			wake()
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return errors.New("the console ended the stream")
}

func (c *Client) call(ctx context.Context, credential, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.do(ctx, http.MethodPost, path, credential, bytes.NewReader(body), out)
}

func (c *Client) do(ctx context.Context, method, path, credential string, body io.Reader, out any) error {
	resp, err := c.send(ctx, method, path, credential, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, bodyLimit)).Decode(out); err != nil {
		return fmt.Errorf("answer of %s %s: %w", method, resp.Request.URL.Path, err)
	}
	return nil
}

// send returns a successful answer, or what the console says is wrong.
func (c *Client) send(ctx context.Context, method, path, credential string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Console.JoinPath("wire/v1", path).String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	var said struct {
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&said); err != nil || said.Detail == "" {
		said.Detail = strings.TrimSpace(resp.Status) + " from something that is no Patrol console"
	}
	failed := fmt.Errorf("%s %s: %s", method, req.URL.Path, said.Detail)
	if path == "register" && resp.StatusCode == http.StatusUnauthorized {
		return nil, fmt.Errorf("%w: the enrolment token is wrong or was revoked", ErrRefused)
	}
	if path == "changed" && resp.StatusCode == http.StatusNotFound {
		return nil, ErrOlder
	}
	if path == "heartbeat" && resp.StatusCode == http.StatusConflict {
		return nil, fmt.Errorf("%w: %w", ErrShared, failed)
	}
	if kind := kindOf(resp.StatusCode, strings.HasPrefix(path, "commands/")); kind != nil {
		failed = fmt.Errorf("%w: %w", kind, failed)
	}
	return nil, deferred(failed, resp)
}

// kindOf tells what an answer means to the agent; nil if the same call may go
// well later. A console that was restored from a backup does not know the
// commands that it has given out since: they are lost.
func kindOf(status int, command bool) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrUnknown
	case http.StatusConflict, http.StatusNotFound:
		if command {
			return ErrLost
		}
		if status == http.StatusConflict {
			return ErrRefused
		}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return ErrRefused
	}
	return nil
}
