package notifytest

import (
	"context"
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
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
)

// Serve starts a server with TLS and returns its address and who signs its
// certificate, as the field [notify.CA] takes it.
func Serve(t testing.TB, handler http.HandlerFunc) (url, ca string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return server.URL, CA(server)
}

// CA is who signs a server's certificate, as the field [notify.CA] takes it.
func CA(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// Trusting runs tests in a process that trusts what [Serve] starts, for kinds that
// have no field for an authority. It is to be called by TestMain, before the system's
// authorities are first read.
func Trusting(m *testing.M) int {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	ca := CA(server)
	server.Close()
	dir, err := os.MkdirTemp("", "trusted")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "ca.pem")
	err = errors.Join(os.WriteFile(file, []byte(ca), 0o600), os.Setenv("SSL_CERT_FILE", file), os.Setenv("SSL_CERT_DIR", dir))
	if err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// Hangs wants Send to end with its context, though the far side never answers.
func Hangs(t *testing.T, open func(url, ca string) notify.Sender) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	url, ca := Serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the client's leaving noticed
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer now would come beside the cancelling
	})
	if _, err := open(url, ca).Send(ctx, Opened()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want that it was cancelled", err)
	}
}

// Distrusts wants Send to say that the far side's certificate is not trusted.
func Distrusts(t *testing.T, open func(url string) notify.Sender) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{stranger(t)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := open(server.URL).Send(t.Context(), Opened())
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v; want it to tell of the certificate", err)
	}
}

// stranger is a certificate that nobody trusts.
func stranger(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Many is a notification with as many findings as one holds, whose texts are long and
// hostile.
func Many() notify.Notification {
	n := Opened()
	text := strings.Repeat("<!channel> <script>alert(1)</script> \"\\\r\n\x00\x1b[31m\u2028 ", 200)
	n.Title, n.Text = "CVE-2099-0001 "+text, text
	model := n.Findings[0]
	n.Findings = nil
	for i := range notify.MostFindings {
		f := model
		f.Occurrence, f.Summary, f.Package = int64(i+1), text, text
		f.Node.Name = "node " + strconv.Itoa(i)
		n.Findings = append(n.Findings, f)
	}
	n.Total, n.Nodes = 1000, 900
	return n
}
