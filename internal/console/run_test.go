package console

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/tlscert"
)

// run starts a console and returns its URL and what it printed; stop ends it and
// returns what Run returned.
func run(t *testing.T, o Options) (address, printed string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	ready, ended := make(chan string, 1), make(chan error, 1)
	o.FeedURL, o.FeedInterval, o.Version, o.Out = publish(t), time.Hour, "test", &out
	o.Ready = func(url string) { ready <- url }
	go func() { ended <- Run(ctx, o) }()
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatalf("Run = %v", err)
	}
	return address, out.String(), func() error {
		cancel()
		return <-ended
	}
}

func TestRunOnLoopback(t *testing.T) {
	dir := t.TempDir()
	address, printed, stop := run(t, Options{DataDir: dir, Listen: "127.0.0.1:0"})
	made := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(printed)
	if !strings.HasPrefix(address, "http://127.0.0.1:") || !strings.Contains(printed, address) || made == nil {
		t.Fatalf("console on %s printed %q", address, printed)
	}
	if err := clientOf(t, address, "").SignIn(t.Context(), "admin", made[1]); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	// A second start prints no password.
	_, printed, stop = run(t, Options{DataDir: dir, Listen: "127.0.0.1:0"})
	if strings.Contains(printed, "password") {
		t.Errorf("a second start printed %q", printed)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestRunOnOtherAddressesIsTLS(t *testing.T) {
	dir := t.TempDir()
	var pins []string
	for range 2 {
		address, printed, stop := run(t, Options{DataDir: dir, Listen: "0.0.0.0:0", AdminPassword: password})
		pin := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(printed)
		pins = append(pins, pin)
		at, err := url.Parse(address)
		if err != nil || at.Scheme != "https" || pin == "" {
			t.Fatalf("console on %s printed %q", address, printed)
		}
		local := "https://" + net.JoinHostPort("127.0.0.1", at.Port())
		if err := clientOf(t, local, pin).SignIn(t.Context(), "admin", password); err != nil {
			t.Errorf("with the pin: %v", err)
		}
		if err := clientOf(t, local, "").SignIn(t.Context(), "admin", password); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("without a pin: %v", err)
		}
		if err := clientOf(t, local, "sha256:"+strings.Repeat("0", 64)).SignIn(t.Context(), "admin", password); err == nil || !strings.Contains(err.Error(), "pinned") {
			t.Errorf("with a wrong pin: %v", err)
		}
		plain, err := http.Get("http://" + net.JoinHostPort("127.0.0.1", at.Port()) + "/healthz")
		if err == nil {
			_ = plain.Body.Close()
			if plain.StatusCode == http.StatusOK {
				t.Error("plain HTTP is answered")
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	}
	if pins[0] != pins[1] {
		t.Error("a restart made another certificate")
	}
}

func TestRunWithACertificate(t *testing.T) {
	dir := t.TempDir()
	certificate, err := tlscert.SelfSigned(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	address, printed, stop := run(t, Options{
		DataDir: t.TempDir(), Listen: "127.0.0.1:0", AdminPassword: password,
		TLSCert: filepath.Join(dir, "tls.crt"), TLSKey: filepath.Join(dir, "tls.key"),
	})
	pin := tlscert.Fingerprint(certificate.Certificate[0])
	if !strings.HasPrefix(address, "https://") || !strings.Contains(printed, pin) {
		t.Errorf("console on %s printed %q", address, printed)
	}
	if err := clientOf(t, address, pin).SignIn(t.Context(), "admin", password); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for says, o := range map[string]Options{
		"--listen":   {Listen: taken.Addr().String()},
		"--tls-cert": {Listen: "127.0.0.1:0", TLSCert: "absent.crt", TLSKey: "absent.key"},
	} {
		o.DataDir, o.FeedURL, o.FeedInterval, o.AdminPassword, o.Out = t.TempDir(), publish(t), time.Hour, password, new(bytes.Buffer)
		if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("Run = %v; want it to say %q", err, says)
		}
	}
}

// A stream that is open does not hold up the end.
func TestRunEndsWithOpenStreams(t *testing.T) {
	dir := t.TempDir()
	address, _, stop := run(t, Options{DataDir: dir, Listen: "127.0.0.1:0", AdminPassword: password})
	api := clientOf(t, address, "")
	if err := api.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	agent := registered(t, api)
	woken, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() { ended <- agent.Stream(t.Context(), func() { woken <- struct{}{} }) }()
	<-woken
	began := time.Now()
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if took := time.Since(began); took >= drain {
		t.Errorf("the end took %v", took)
	}
	if err := <-ended; err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Stream = %v", err)
	}
}
