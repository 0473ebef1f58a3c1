package syslog_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/syslog"
	"patrol/internal/platform/outgoing"
)

func send(t *testing.T, settings notify.Settings, n notify.Notification) error {
	t.Helper()
	_, err := notifytest.Open(t, syslog.Kind(), settings).Send(t.Context(), n)
	return err
}

func TestActions(t *testing.T) {
	certs := notifytest.NewCertificates(t)
	server := startRsyslog(t, certs)
	settings := notify.Settings{
		"host": "127.0.0.1", "port": server.port, "ca": certs.CA, "client_cert": certs.ClientCert, "client_key": certs.ClientKey,
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n        notify.Notification
		severity int
		said     string
		texts    []string
	}{
		{notifytest.Opened(), 2, "crit", []string{
			"opened: CVE-2099-0001 (critical) in openssl on web-1, fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>",
			`opened: CVE-2099-0001 (critical) in openssl on shop <&> "quoted", fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>`,
		}},
		{notifytest.Changed(), 2, "crit", []string{
			"changed: CVE-2099-0001 (critical) in openssl on web-1, fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>",
			`changed: CVE-2099-0001 (critical) in openssl on shop <&> "quoted", fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>`,
		}},
		{notifytest.Resolved(""), 5, "notice", []string{
			"resolved: CVE-2099-0001 (critical) in openssl on web-1, fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>",
			`resolved: CVE-2099-0001 (critical) in openssl on shop <&> "quoted", fixed in 3.0.15-1~deb12u1: Heap overflow in openssl <script>`,
		}},
		{notifytest.Told(), 3, "err", []string{"The feed is stale: It was last updated two days ago."}},
	} {
		if err := send(t, settings, c.n); err != nil {
			t.Fatal(err)
		}
		var sample []string
		for i, text := range c.texts {
			got := server.next(t)
			m := parse(t, got.Raw)
			if m.facility != 16 || m.severity != c.severity || !m.time.Equal(c.n.Time) || m.host != host || m.app != "patrol" || m.proc != "-" ||
				m.kind != c.n.Type || m.id != "patrol@32473" || m.text != text {
				t.Errorf("%s: %s", c.n.Action, m)
			}
			want := map[string]string{"id": c.n.ID, "key": c.n.Key, "action": string(c.n.Action), "type": c.n.Type, "severity": c.n.Severity, "url": c.n.URL}
			if len(c.n.Findings) > 0 {
				want["node"], want["occurrence"] = c.n.Findings[i].Node.Name, []string{"17", "18"}[i]
				want["kev"], want["score"], want["epss"], want["fixed"] = "true", "9.8", "0.91", "3.0.15-1~deb12u1"
			}
			for name, value := range want {
				if m.params[name] != value {
					t.Errorf("%s: %s is %q, want %q", c.n.Action, name, m.params[name], value)
				}
			}
			// That the server understood it so, too.
			if got.Facility != "local0" || got.Severity != c.said || got.App != "patrol" || got.Host != host || got.MsgID != c.n.Type ||
				!strings.HasPrefix(got.SD, "[patrol@32473 id=") || !strings.HasSuffix(got.Msg, text) {
				t.Errorf("%+v", got)
			}
			sample = append(sample, strings.ReplaceAll(strings.Replace(got.Raw, " "+host+" ", " console ", 1), "\ufeff", "BOM"))
		}
		if c.n.Action == notify.Opened {
			notifytest.Sample(t, "syslog", strings.Join(sample, "\n"))
		}
	}
}

func TestNoClientCertificate(t *testing.T) {
	certs := notifytest.NewCertificates(t)
	server := startRsyslog(t, certs)
	err := send(t, notify.Settings{"host": "127.0.0.1", "port": server.port, "ca": certs.CA}, notifytest.Told())
	if err == nil {
		t.Error("a server that wants a certificate took messages without one")
	}
}

func TestTCP(t *testing.T) {
	server := startRsyslog(t, nil)
	n := hostile()
	n.Findings = n.Findings[:20]
	if err := send(t, notify.Settings{"host": "127.0.0.1", "port": server.port, "transport": "tcp", "facility": "authpriv", "app_name": "x"}, n); err != nil {
		t.Fatal(err)
	}
	for range n.Findings {
		got := server.next(t)
		if m := parse(t, got.Raw); len(got.Raw) > 8000 || m.facility != 10 || m.app != "x" || m.params["id"] != n.ID || m.params["url"] != n.URL {
			t.Errorf("%d bytes: %s", len(got.Raw), m)
		}
		if strings.ContainsFunc(got.Raw, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) {
			t.Errorf("control characters in %q", got.Raw)
		}
	}
}

// hostile is a notification as large and as odd as there can be.
func hostile() notify.Notification {
	n := notifytest.Opened()
	text := `"] \` + "\r\n<13>1 - - - - - - \x00\x1b[2J\u202e\xff\ufeff" + strings.Repeat(`ü"]\`, 2500)
	n.Key, n.Rule, n.Type = strings.Repeat(`"`, 255), text, "no type"
	one := notify.Finding{
		Occurrence: 1 << 62, Vulnerability: text, Summary: text, Severity: text, Score: 9.87654321, EPSS: 0.123456789, Ecosystem: text, Package: text,
		Fixed: []string{text, text}, Because: text, Node: notify.Node{ID: text, Kind: text, Name: text},
	}
	n.Findings = nil
	for range notify.MostFindings {
		n.Findings = append(n.Findings, one)
	}
	return n
}

func TestUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	n := hostile()
	n.Findings = n.Findings[:20] // as many as surely fit the socket's buffer
	if err := send(t, notify.Settings{"host": "127.0.0.1", "port": port, "transport": "udp"}, n); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 65536)
	for range n.Findings {
		size, _, err := conn.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if m := parse(t, string(buffer[:size])); size > 2048 || m.params["key"] != n.Key || len(m.text) < 300 || !strings.HasSuffix(m.text, "…") {
			t.Errorf("%d bytes: %s", size, m)
		}
	}
}

// listener is a server that does as it is told with the first connection.
func listener(t *testing.T, serve func(net.Conn)) notify.Settings {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			serve(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return notify.Settings{"host": "127.0.0.1", "port": port, "transport": "tcp"}
}

func TestFrames(t *testing.T) {
	var stream []byte
	done := make(chan error, 1)
	settings := listener(t, func(conn net.Conn) {
		var err error
		stream, err = io.ReadAll(conn)
		done <- err
	})
	if err := send(t, settings, hostile()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	all := frames(t, string(stream))
	if len(all) != notify.MostFindings {
		t.Errorf("%d messages", len(all))
	}
	parse(t, all[0])
	parse(t, all[len(all)-1])
}

// A server that resets the connection instead of closing it has not read everything.
func TestReset(t *testing.T) {
	settings := listener(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 10))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	if err := send(t, settings, hostile()); err == nil {
		t.Error("a reset went unnoticed")
	}
}

// A server that reads nothing has taken what its system took for it, and no more.
func TestNotTaken(t *testing.T) {
	certs := notifytest.NewCertificates(t)
	pair, err := tls.X509KeyPair([]byte(certs.ServerCert), []byte(certs.ServerKey))
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			settings := listener(t, func(conn net.Conn) {
				_ = conn.(*net.TCPConn).SetReadBuffer(4096)
				if transport == "tls" {
					_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
				}
				<-over
			})
			settings["transport"] = transport
			if transport == "tls" {
				settings["ca"] = certs.CA
			}
			n := hostile()
			n.Findings = n.Findings[:40]
			err := send(t, settings, n)
			close(over)
			if taken := runtime.GOOS != "linux"; taken != (err == nil) || err != nil && !strings.Contains(err.Error(), "did not take it") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// A server that has read everything need not close the connection.
func TestNeverCloses(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	settings := listener(t, func(conn net.Conn) {
		_, _ = io.Copy(io.Discard, conn)
		<-over
	})
	err := send(t, settings, notifytest.Opened())
	close(over)
	if err != nil {
		t.Error(err)
	}
}

func TestUntrusted(t *testing.T) {
	certs, others := notifytest.NewCertificates(t), notifytest.NewCertificates(t)
	pair, err := tls.X509KeyPair([]byte(certs.ServerCert), []byte(certs.ServerKey))
	if err != nil {
		t.Fatal(err)
	}
	settings := listener(t, func(conn net.Conn) {
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
	})
	settings["transport"], settings["ca"] = "tls", others.CA
	err = send(t, settings, notifytest.Told())
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	for _, transport := range []string{"tcp", "tls"} {
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		settings := listener(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 10))
			cancel()
			<-over
		})
		settings["transport"] = transport
		_, err := notifytest.Open(t, syslog.Kind(), settings).Send(ctx, notifytest.Told())
		close(over)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", transport, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	if err := send(t, notify.Settings{"host": "127.0.0.1", "port": notifytest.FreePort(t), "transport": "tcp"}, notifytest.Told()); err == nil {
		t.Error("sent to nobody")
	}
	sender, err := syslog.Kind().Prepare(notify.Settings{"host": "127.0.0.1", "transport": "udp"}, outgoing.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Send(t.Context(), notifytest.Told()); !errors.Is(err, outgoing.ErrAddress) {
		t.Errorf("error %v", err)
	}
}

func TestSettings(t *testing.T) {
	certs := notifytest.NewCertificates(t)
	for _, c := range []struct {
		settings notify.Settings
		field    string
	}{
		{notify.Settings{"host": ""}, "host"},
		{notify.Settings{"host": "logs.example.com:6514"}, "host"},
		{notify.Settings{"port": "0"}, "port"},
		{notify.Settings{"port": "syslog"}, "port"},
		{notify.Settings{"transport": "relp"}, "transport"},
		{notify.Settings{"facility": "kern"}, "facility"},
		{notify.Settings{"app_name": "two words"}, "app_name"},
		{notify.Settings{"app_name": strings.Repeat("x", 49)}, "app_name"},
		{notify.Settings{"ca": "no certificate"}, "ca"},
		{notify.Settings{"ca": certs.CA, "transport": "tcp"}, "ca"},
		{notify.Settings{"client_key": certs.ClientKey, "transport": "udp"}, "client_key"},
		{notify.Settings{"client_cert": certs.ClientCert}, "client_key"},
		{notify.Settings{"client_key": certs.ClientKey}, "client_cert"},
		{notify.Settings{"client_cert": certs.ClientCert, "client_key": certs.ServerKey}, "client_cert"},
	} {
		settings := notify.Settings{"host": "logs.example.com"}
		for field, value := range c.settings {
			settings[field] = value
		}
		notifytest.Refuses(t, syslog.Kind(), settings, c.field)
	}
}
