package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"patrol/internal/fleet"
	"patrol/internal/scan"
)

// Upload sends an SBOM of a node that has no agent. The answer names its scan, which
// goes on by itself.
func (c *Client) Upload(ctx context.Context, of fleet.Upload, document io.Reader) (out scan.Accepted, err error) {
	query := url.Values{"name": {of.Name}, "kind": {of.Kind}}
	for name, value := range of.Labels {
		query.Add("label", name+"="+value)
	}
	return out, c.exchange(ctx, http.MethodPost, "sboms?"+query.Encode(), "application/octet-stream", document, &out)
}
