package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// Download writes what a path answers to a file, which is there once it is complete,
// and not before.
func (c *Client) Download(ctx context.Context, path, file string) error {
	resp, err := c.send(ctx, http.MethodGet, path, "application/json", nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = io.Copy(part, resp.Body)
	if err != nil {
		err = fmt.Errorf("the console broke off; its log says why: %w", err)
	}
	// CreateTemp's mode is for secrets; a report has the usual one.
	if err = errors.Join(err, part.Chmod(0o644), part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(part.Name()))
	}
	return nil
}
