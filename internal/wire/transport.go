package wire

import (
	"crypto/tls"
	"net/http"
	"time"
)

// Frugal makes a transport one that a console can bear ten thousand of. An agent
// has a connection for the stream, which costs a console little on HTTP/1.1 and much
// on HTTP/2, and makes one for a call when it has one to make: to resume TLS every
// half minute takes a console less than to keep a second connection for each agent.
func Frugal(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	t.IdleConnTimeout = 5 * time.Second // calls that follow one another share one
	t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
}
