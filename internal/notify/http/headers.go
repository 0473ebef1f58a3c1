package http

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"patrol/internal/notify"
)

// ours are headers that say how a request is sent, and who signed it. Those that
// concern one connection only are in RFC 9110, section 7.6.1.
var ours = []string{
	"Host", "Content-Length", "Content-Type", "Content-Encoding", "Expect",
	"Connection", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Idempotency-Key", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature",
}

// parseHeaders reads lines of the form Name: value. What it says of a mistake holds
// no value, as these are secret.
func parseHeaders(text string) (http.Header, error) {
	header := http.Header{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line) // a carriage return, too
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key := http.CanonicalHeaderKey(name); {
		case !found || !httpguts.ValidHeaderFieldName(name):
			return nil, notify.Invalid("headers", "has in line %d no header such as Name: value", i+1)
		case !httpguts.ValidHeaderFieldValue(value):
			return nil, notify.Invalid("headers", "has in line %d a value with control characters", i+1)
		case slices.Contains(ours, key):
			return nil, notify.Invalid("headers", "has in line %d %s, which Patrol sets itself", i+1, key)
		default:
			header.Add(key, value)
		}
	}
	return header, nil
}
