package shoutrrr_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"patrol/internal/notify/notifytest"
)

// target is where the proxy leads all that is asked of it: services have hosts of their
// own, which a URL cannot change.
var target atomic.Value

// TestMain has a proxy stand between the console and the services, as it does in many a
// company. The environment is read once, so it is set before all tests. What would go
// past the guard, by the clients of net/http, fails.
func TestMain(m *testing.M) {
	http.DefaultTransport = forbidden{}
	proxy := httptest.NewServer(http.HandlerFunc(tunnel))
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		_ = os.Setenv(name, proxy.URL)
	}
	code := m.Run()
	proxy.Close()
	os.Exit(code)
}

type forbidden struct{}

func (forbidden) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("this request went past the guard")
}

// tunnel is the method CONNECT (RFC 9110, section 9.3.6).
func tunnel(w http.ResponseWriter, r *http.Request) {
	to, err := net.Dial("tcp", target.Load().(string))
	if r.Method != http.MethodConnect || err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = to.Close()
		return
	}
	go func() {
		_, _ = io.Copy(to, buffered)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
	_ = from.Close()
}

// hosts are those of the services' URLs here.
var hosts = []string{"discord.com", "api.pushover.net", "api.telegram.org", "api.opsgenie.com", "chat.googleapis.com", "service.example"}

// far is a far side that all of the services' hosts lead to.
type far struct {
	*notifytest.Far
	address string
}

func newFar(t *testing.T, answer http.HandlerFunc) far {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	f := notifytest.NewFar(t, answer)
	server := httptest.NewUnstartedServer(f)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	f.URL, f.CA = server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	target.Store(server.Listener.Addr().String())
	return far{f, server.Listener.Addr().String()}
}
