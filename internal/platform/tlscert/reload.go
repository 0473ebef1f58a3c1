package tlscert

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// glance is how often the files of a certificate are looked at, at most.
const glance = time.Second

// Reloading is a certificate in two PEM files that may be replaced while it is in
// use: the next client is shown the new one. Two files cannot be replaced at once,
// and a file may be written slowly: while they are no certificate with its key, the
// old one goes on.
type Reloading struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	seen    [2]stamp // of the files that were read last, whether or not they were any good
}

// stamp is what of a file tells that it was replaced.
type stamp struct {
	modified time.Time
	size     int64
}

// Reload loads a certificate and its key, and is ready to load them again.
func Reload(certFile, keyFile string, now func() time.Time) (*Reloading, error) {
	r := &Reloading{certFile: certFile, keyFile: keyFile, now: now, looked: now()}
	var err error
	if r.seen, err = r.stamps(); err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load the certificate %s with the key %s: %w", certFile, keyFile, err)
	}
	r.current = &certificate
	return r, nil
}

// Certificate is what a client is shown now. It fits tls.Config.GetCertificate.
func (r *Reloading) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.looked) >= glance {
		r.looked = now
		r.look()
	}
	return r.current, nil
}

// Fingerprint is that of the certificate that is shown now.
func (r *Reloading) Fingerprint() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Fingerprint(r.current.Certificate[0])
}

// look loads the files if one was replaced.
func (r *Reloading) look() {
	seen, err := r.stamps()
	if err == nil && seen == r.seen {
		return
	}
	var certificate tls.Certificate
	if err == nil {
		certificate, err = tls.LoadX509KeyPair(r.certFile, r.keyFile)
	}
	if seen != r.seen { // else it was said already
		if err != nil {
			slog.Error("the certificate was replaced by one that cannot be loaded; the old one stays in use", "certificate", r.certFile, "key", r.keyFile, "error", err)
		} else {
			slog.Info("the certificate was replaced", "certificate", r.certFile, "fingerprint", Fingerprint(certificate.Certificate[0]), "ends", certificate.Leaf.NotAfter)
		}
	}
	r.seen = seen
	if err == nil {
		r.current = &certificate
	}
}

func (r *Reloading) stamps() (seen [2]stamp, err error) {
	for i, name := range []string{r.certFile, r.keyFile} {
		info, err := os.Stat(name) // follows links, which is how orchestrators replace files
		if err != nil {
			return [2]stamp{}, err
		}
		seen[i] = stamp{info.ModTime(), info.Size()}
	}
	return seen, nil
}
