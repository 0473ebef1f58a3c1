package syslog_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"patrol/internal/notify/notifytest"
)

// rsyslog is a log server that gives what it receives, and what it made of it, to a
// program, through which it comes to the test: forwarding would cut long messages.
type rsyslog struct {
	port     string
	received <-chan received
}

// received is a message as the server got and understood it.
type received struct {
	Raw, Facility, Severity, Time, Host, App, MsgID, SD, Msg string
}

// rsyslogConfig is that of rsyslog's modules imtcp, omprog and the gtls driver. With
// TLS, clients must show a certificate.
const rsyslogConfig = `
global(workDirectory="DIR" net.enableDNS="off" DRIVER)
template(name="json" type="list" option.jsonf="on") {
  property(outname="Raw" name="rawmsg" format="jsonf")
  property(outname="Facility" name="syslogfacility-text" format="jsonf")
  property(outname="Severity" name="syslogseverity-text" format="jsonf")
  property(outname="Time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="Host" name="hostname" format="jsonf")
  property(outname="App" name="app-name" format="jsonf")
  property(outname="MsgID" name="msgid" format="jsonf")
  property(outname="SD" name="structured-data" format="jsonf")
  property(outname="Msg" name="msg" format="jsonf")
}
module(load="omprog")
module(load="imtcp" MODE)
input(type="imtcp" address="127.0.0.1" port="PORT" ruleset="out")
ruleset(name="out") { action(type="omprog" binary="/usr/bin/tee DIR/out" template="json") }
`

// startRsyslog starts a server for the test, with TLS if there are certificates.
func startRsyslog(t *testing.T, certs *notifytest.Certificates) *rsyslog {
	t.Helper()
	dir := t.TempDir()
	r := &rsyslog{port: notifytest.FreePort(t)}
	driver, mode := "", ""
	if certs != nil {
		driver = `defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="DIR/ca.pem" defaultNetstreamDriverCertFile="DIR/cert.pem" defaultNetstreamDriverKeyFile="DIR/key.pem"`
		mode = `streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"`
		for name, text := range map[string]string{"ca.pem": certs.CA, "cert.pem": certs.ServerCert, "key.pem": certs.ServerKey} {
			write(t, filepath.Join(dir, name), text)
		}
	}
	config := strings.NewReplacer("DRIVER", driver, "MODE", mode, "PORT", r.port).Replace(rsyslogConfig)
	write(t, filepath.Join(dir, "conf"), strings.ReplaceAll(config, "DIR", dir))
	r.read(t, filepath.Join(dir, "out"))
	var said bytes.Buffer
	cmd := exec.Command("rsyslogd", "-n", "-f", filepath.Join(dir, "conf"), "-i", filepath.Join(dir, "pid"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start rsyslogd, of Debian's packages rsyslog and rsyslog-gnutls: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("rsyslogd said:\n%s", &said)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err == nil {
			_ = conn.Close()
			return r
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("rsyslogd ended (%v):\n%s", err, &said)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("rsyslogd does not listen")
		}
	}
}

// read makes the pipe. The test opens it for writing, too, so that it has no end
// before the program opens it.
func (r *rsyslog) read(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan received, 1000)
	go func() {
		defer close(out)
		for lines := bufio.NewReader(pipe); ; {
			text, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var m received
			if err := json.Unmarshal(text, &m); err != nil {
				m.Raw = fmt.Sprintf("%v in %s", err, text)
			}
			out <- m
		}
	}()
	t.Cleanup(func() {
		_ = pipe.Close()
		for range out {
		}
	})
	r.received = out
}

// next returns the next message that the server received.
func (r *rsyslog) next(t *testing.T) received {
	t.Helper()
	select {
	case m := <-r.received:
		return m
	case <-time.After(20 * time.Second):
		t.Fatal("rsyslogd received no message")
		return received{}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
