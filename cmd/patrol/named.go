package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/google/uuid"

	"patrol/internal/client"
)

// idOf returns the id of one of a resource's things, which is named by its id or its
// name.
func idOf(ctx context.Context, c *client.Client, resource, what, named string) (string, error) {
	if uuid.Validate(named) == nil {
		return named, nil
	}
	type thing struct{ ID, Name string }
	for t, err := range client.List[thing](ctx, c, resource, nil) {
		if err != nil {
			return "", err
		}
		if t.Name == named {
			return t.ID, nil
		}
	}
	return "", fmt.Errorf("there is no %s %q: patrol %s list shows names and ids", what, named, resource)
}

// noun is a resource of the API whose things have names.
type noun struct{ resource, what string }

var (
	anIntegration = noun{"integrations", "integration"}
	aRule         = noun{"rules", "rule"}
)

// find returns where the console has a thing of the resource.
func (n noun) find(ctx context.Context, r *remote, named string) (*client.Client, string, error) {
	c, err := r.client()
	if err != nil {
		return nil, "", err
	}
	id, err := idOf(ctx, c, n.resource, n.what, named)
	return c, n.resource + "/" + id, err
}

// askNamed asks something of a thing that is named, and shows what came of it.
func askNamed[T any](ctx context.Context, r *remote, n noun, w io.Writer, output, method, named, more string, body any, table func(io.Writer, T)) error {
	_, path, err := n.find(ctx, r, named)
	if err != nil {
		return err
	}
	return ask(ctx, r, w, output, method, path+more, body, table)
}

// remove deletes a thing that is named.
func (n noun) remove(ctx context.Context, r *remote, named string) error {
	c, path, err := n.find(ctx, r, named)
	if err != nil {
		return err
	}
	return c.Do(ctx, http.MethodDelete, path, nil, nil)
}
