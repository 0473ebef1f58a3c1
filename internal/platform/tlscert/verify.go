package tlscert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Verifying returns the settings of a client that accepts a certificate in one of
// three ways: exactly the one of a fingerprint, one that a CA of a PEM file
// vouches for, or (with neither) one that the system's CAs do.
func Verifying(fingerprint, caFile string) (*tls.Config, error) {
	if caFile == "" {
		return Pinned(fingerprint)
	}
	if fingerprint != "" {
		return nil, errors.New("give --fingerprint or --ca, not both: a pinned certificate is verified by being exactly that one")
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read --ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read --ca: %s holds no certificate in PEM", caFile)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, nil
}
