package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"patrol/internal/finding"
)

// ImportVEX has the console make decisions of an OpenVEX document.
func (c *Client) ImportVEX(ctx context.Context, scope finding.VEXScope, document io.Reader) (out finding.Imported, err error) {
	query := url.Values{"node": {scope.Node}, "selector": {scope.Selector}}
	return out, c.exchange(ctx, http.MethodPost, "decisions/openvex?"+query.Encode(), "application/json", document, &out)
}
