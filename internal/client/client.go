// Package client is the API's Go client: what the command line asks of a console.
// It speaks in the rooms' own types, which are the API's.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"patrol/internal/platform/auth"
	"patrol/internal/platform/rest"
)

// Client speaks to one console.
type Client struct {
	Console *url.URL
	HTTP    *http.Client
	// Token is an api token or that of a session; empty before signing in.
	Token string
}

// SignIn opens a session and uses its token from then on.
func (c *Client) SignIn(ctx context.Context, username, password string) error {
	var out struct {
		Token string `json:"token"`
	}
	err := c.Do(ctx, http.MethodPost, "session", map[string]string{"username": username, "password": password}, &out)
	c.Token = out.Token
	return err
}

// CreateToken makes an enrolment, api or ci token.
func (c *Client) CreateToken(ctx context.Context, kind, name string) (out auth.Issued, err error) {
	return out, c.Do(ctx, http.MethodPost, "tokens", map[string]string{"kind": kind, "name": name}, &out)
}

// List reads all pages of a list, "nodes" or "findings", one after another.
func List[T any](ctx context.Context, c *Client, resource string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := clone(query)
		for {
			var page rest.Page[T]
			if err := c.Do(ctx, http.MethodGet, resource+"?"+query.Encode(), nil, &page); err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("cursor", page.Next)
		}
	}
}

func clone(query url.Values) url.Values {
	copied := url.Values{"limit": {"500"}}
	for name, values := range query {
		copied[name] = values
	}
	return copied
}

// Do makes one call under /api/v1 and decodes its answer, unless out is nil. An
// error says what the console says.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	return c.exchange(ctx, method, path, "application/json", body, out)
}

// exchange makes one call with a body of any type, and decodes its answer.
func (c *Client) exchange(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read the console's answer to %s %s: %w", method, resp.Request.URL.Path, err)
	}
	return nil
}

// send makes one call and returns an answer that is good.
func (c *Client) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	address, err := c.Console.Parse(strings.TrimSuffix(c.Console.Path, "/") + "/api/v1/" + path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the console: %w; is it running, and is --console right?", err)
	}
	if resp.StatusCode/100 != 2 {
		defer func() { _ = resp.Body.Close() }()
		return nil, problemOf(resp)
	}
	return resp, nil
}

// Refused is an answer that says no, and why.
type Refused struct {
	Status int
	Detail string
}

func (r *Refused) Error() string { return "the console says: " + r.Detail }

func problemOf(resp *http.Response) error {
	var said struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil || said.Detail == "" {
		return fmt.Errorf("%s answered %s: that is no Patrol console", resp.Request.URL.Host, resp.Status)
	}
	message := said.Detail
	for _, e := range said.Errors {
		if !strings.Contains(message, e.Message) {
			message += "; " + e.Location + ": " + e.Message
		}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		message += " (--token or PATROL_TOKEN)"
	}
	return &Refused{resp.StatusCode, message}
}
