package email_test

import (
	"bufio"
	"fmt"
	"io"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"patrol/internal/notify/notifytest"
)

// exim is a mail server that delivers into a directory. Its log is read, so that the
// test knows when it listens and when a message has been delivered.
type exim struct {
	port, tlsPort string // STARTTLS, and TLS from the first byte
	ca            string
	box           string
	log           <-chan string
}

// eximConfig is Exim's specification, chapters 14 (main), 42 (access control), 15
// (routers), 26 (appendfile) and 34 (plaintext). It refuses some recipients and texts,
// and takes messages of up to 1 MiB.
const eximConfig = `
primary_hostname = mail.test
spool_directory = DIR/spool
log_file_path = DIR/spool/%%slog
keep_environment =
local_interfaces = 127.0.0.1.%[1]s : 127.0.0.1.%[2]s
tls_on_connect_ports = %[2]s
tls_advertise_hosts = *
tls_certificate = DIR/cert.pem
tls_privatekey = DIR/key.pem
message_size_limit = 1M
deliver_drop_privilege = true
rfc1413_query_timeout = 0s
acl_smtp_rcpt = rcpt
acl_smtp_data = data
%[3]s
begin acl
rcpt:
  deny local_parts = gone
       message = 550 5.1.1 no such user
  defer local_parts = busy
       message = 450 4.2.1 mailbox is busy
  deny local_parts = members
       !authenticated = *
       message = 530 5.7.0 authentication needed
  accept
data:
  deny condition = ${if match{$h_subject:}{unwanted}}
       message = 554 5.7.1 looks like spam
  deny condition = ${if match{$h_subject:}{huge}}
       message = 552 too large
  deny condition = ${if match{$h_subject:}{enormous}}
       message = 554 5.3.4 too large for us
  deny condition = ${if match{$h_subject:}{vast}}
       message = 554 5.2.3 too large for the mailbox
  defer condition = ${if match{$h_subject:}{later}}
       message = 451 4.3.0 try again later
  accept
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  directory = DIR/box
  maildir_format
  batch_max = 100
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and {{eq{$auth2}{patrol}}{eq{$auth3}{hush-hush}}}}
  server_advertise_condition = ${if def:tls_in_cipher}
  server_set_id = $auth2
`

// startExim starts a server for the test. It may be run as any user: as root it
// becomes its own.
func startExim(t *testing.T) *exim {
	t.Helper()
	dir, err := os.MkdirTemp("", "exim") // t.TempDir is for the test's own user only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	e := &exim{port: notifytest.FreePort(t), tlsPort: notifytest.FreePort(t), box: filepath.Join(dir, "box")}
	certs := notifytest.NewCertificates(t)
	e.ca = certs.CA
	user := ""
	if os.Getuid() != 0 {
		user = fmt.Sprintf("exim_user = %d\nexim_group = %d\nadmin_groups = %[2]d", os.Getuid(), os.Getgid())
	}
	config := strings.ReplaceAll(fmt.Sprintf(eximConfig, e.port, e.tlsPort, user), "DIR", dir)
	for name, text := range map[string]string{"conf": config, "cert.pem": certs.ServerCert, "key.pem": certs.ServerKey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"": 0o755, "spool": 0o777, "box": 0o777} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	e.run(t, filepath.Join(dir, "conf"))
	return e
}

func (e *exim) run(t *testing.T, config string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("exim4", "-bdf", "-v", "-C", config)
	cmd.Stderr = w
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // those that deliver go with it
	if err := cmd.Start(); err != nil {
		t.Fatalf("start exim4, of Debian's package exim4-daemon-light: %v", err)
	}
	_ = w.Close()
	log := make(chan string, 10_000)
	go func() {
		defer close(log)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			log <- lines.Text()
		}
		_ = r.Close()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		for range log {
		}
	})
	e.log = log
	e.await(t, "daemon started")
}

// await reads the log until it says so.
func (e *exim) await(t *testing.T, text string) {
	t.Helper()
	var seen []string
	deadline := time.After(20 * time.Second)
	for {
		select {
		case l, ok := <-e.log:
			if !ok {
				t.Fatalf("exim ended:\n%s", strings.Join(seen, "\n"))
			}
			if strings.Contains(l, text) {
				return
			}
			seen = append(seen, l)
		case <-deadline:
			t.Fatalf("exim does not say %q:\n%s", text, strings.Join(seen, "\n"))
		}
	}
}

// received returns the message that was delivered last, after which the box is empty.
func (e *exim) received(t *testing.T) *mail.Message {
	t.Helper()
	e.await(t, "Completed")
	files, err := filepath.Glob(filepath.Join(e.box, "new", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d messages were delivered (%v)", len(files), err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m
}
