// Package tlscert lets a console speak TLS from its first start: it makes a
// self-signed certificate, whose fingerprint agents pin. Verification is never
// turned off; a pinned certificate is verified by being exactly that one.
package tlscert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// lifetime of a self-signed certificate. Agents pin it, so a short one would cut
// the fleet off.
const lifetime = 10 * 365 * 24 * time.Hour

// SelfSigned loads the certificate that stands in a directory, and makes it
// there on first use.
func SelfSigned(dir string, now time.Time) (tls.Certificate, error) {
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if _, err := os.Stat(certFile); errors.Is(err, fs.ErrNotExist) {
		if err := make509(dir, certFile, keyFile, now); err != nil {
			return tls.Certificate{}, fmt.Errorf("make a self-signed certificate in %s: %w", dir, err)
		}
	}
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return certificate, fmt.Errorf("load the certificate in %s: %w; without the two files there the console makes new ones, and agents need the new fingerprint", dir, err)
	}
	return certificate, nil
}

func make509(dir, certFile, keyFile string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "patrol console on " + name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key first: a certificate without its key would never be made again.
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
}

// Fingerprint names a certificate as agents pin it: "sha256:" and 64 hex digits
// over its DER bytes.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Pinned returns the settings of a client that accepts exactly the certificate of
// that fingerprint; of several, separated by commas, any, so that a certificate can
// be replaced while clients run. "" stands for the ordinary rules.
func Pinned(fingerprint string) (*tls.Config, error) {
	if fingerprint == "" {
		return &tls.Config{MinVersion: tls.VersionTLS12}, nil
	}
	pins := strings.Split(strings.ToLower(fingerprint), ",")
	for i, pin := range pins {
		pins[i] = strings.TrimSpace(pin)
		digits, ok := strings.CutPrefix(pins[i], "sha256:")
		if want, err := hex.DecodeString(digits); !ok || err != nil || len(want) != sha256.Size {
			return nil, fmt.Errorf("fingerprint %q is not sha256: and 64 hex digits, as the console prints it", pin)
		}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The chain leads nowhere; VerifyConnection below is the verification, and
		// unlike VerifyPeerCertificate it runs on resumed connections too.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			have := Fingerprint(state.PeerCertificates[0].Raw)
			if !slices.Contains(pins, have) {
				return fmt.Errorf("the console's certificate has the fingerprint %s, not the pinned %s", have, strings.Join(pins, " or "))
			}
			return nil
		},
	}, nil
}
