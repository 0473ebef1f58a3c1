package email_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"patrol/internal/notify"
	"patrol/internal/notify/email"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/outgoing"
)

// settings are those of who signs in by STARTTLS.
func (e *exim) settings() notify.Settings {
	return notify.Settings{
		"host": "127.0.0.1", "port": e.port, "ca": e.ca, "user": "patrol", "password": "hush-hush", "helo": "patrol.test",
		"from": "Patrol <patrol@example.com>", "to": "security@mail.test, \"Öps, all\" <members@mail.test>",
	}
}

func (e *exim) send(t *testing.T, n notify.Notification, change notify.Settings) error {
	t.Helper()
	settings := e.settings()
	for field, value := range change {
		settings[field] = value
	}
	_, err := notifytest.Open(t, email.Kind(), settings).Send(t.Context(), n)
	return err
}

// parts returns the two forms of a message.
func parts(t *testing.T, m *mail.Message) (text, page string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s: %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var bodies []string
	for _, want := range []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"} {
		part, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if got := part.Header.Get("Content-Type"); got != want {
			t.Errorf("part is %s, want %s", got, want)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, strings.ReplaceAll(string(body), "\r\n", "\n"))
	}
	if _, err := r.NextRawPart(); err != io.EOF {
		t.Errorf("more than two parts: %v", err)
	}
	return bodies[0], bodies[1]
}

func TestActions(t *testing.T) {
	e := startExim(t)
	threads := map[string]string{}
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		if err := e.send(t, n, nil); err != nil {
			t.Fatal(err)
		}
		m := e.received(t)
		for name, want := range map[string]string{
			"Subject": n.Title, "From": `"Patrol" <patrol@example.com>`, "Message-Id": "<" + n.ID + "@example.com>",
			"Auto-Submitted": "auto-generated", "X-Patrol-Action": string(n.Action), "X-Patrol-Severity": n.Severity,
			"Date": "Fri, 21 Aug 2026 12:00:00 +0000", "References": m.Header.Get("In-Reply-To"),
		} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", n.Action, name, got, want)
			}
		}
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 2 || to[1].Name != "Öps, all" {
			t.Errorf("to %v: %v", to, err)
		}
		if got := m.Header.Get("Envelope-To"); !strings.Contains(got, "security@mail.test") || !strings.Contains(got, "members@mail.test") {
			t.Errorf("delivered to %s", got)
		}
		threads[n.Key] += m.Header.Get("In-Reply-To")
		text, page := parts(t, m)
		if n.Action == notify.Resolved && (!strings.HasPrefix(text, "Resolved\n") || !strings.Contains(page, ">Resolved<")) {
			t.Errorf("does not say that it is resolved:\n%s", text)
		}
		if n.URL != "" && (!strings.Contains(text, "\n"+n.URL+"\n") || !strings.Contains(page, `<a href="`+n.URL+`">`)) {
			t.Errorf("lacks the link:\n%s\n%s", text, page)
		}
		if n.Action == notify.Opened {
			var head strings.Builder
			for _, name := range []string{"From", "Subject", "Message-Id", "In-Reply-To", "Auto-Submitted", "X-Patrol-Action", "X-Patrol-Severity"} {
				fmt.Fprintf(&head, "%s: %s\n", name, m.Header.Get(name))
			}
			notifytest.Sample(t, "email", head.String()+"\n"+text)
		}
	}
	opened := threads[notifytest.Opened().Key]
	one := opened[:len(opened)/3]
	if opened != one+one+one || one == threads[notifytest.Told().Key] || one == "" {
		t.Errorf("conversations %v", threads)
	}
}

func TestEncryption(t *testing.T) {
	e := startExim(t)
	if err := e.send(t, notifytest.Told(), notify.Settings{"encryption": "tls", "port": e.tlsPort}); err != nil {
		t.Error(err)
	}
	if got := e.received(t).Header.Get("Received"); !strings.Contains(got, "with esmtpsa") {
		t.Errorf("received %s", got)
	}
	clear := notify.Settings{"encryption": "none", "ca": "", "user": "", "password": "", "to": "security@mail.test"}
	if err := e.send(t, notifytest.Told(), clear); err != nil {
		t.Error(err)
	}
	if got := e.received(t).Header.Get("Received"); !strings.Contains(got, "with esmtp ") {
		t.Errorf("received %s", got)
	}
	for _, change := range []notify.Settings{{"ca": ""}, {"ca": "", "encryption": "tls", "port": e.tlsPort}} {
		err := e.send(t, notifytest.Told(), change)
		if f := (*notify.Failure)(nil); err == nil || errors.As(err, &f) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%v: error %v", change, err)
		}
	}
}

func TestHostileText(t *testing.T) {
	e := startExim(t)
	n := notifytest.Opened()
	hostile := "</td><script>alert(1)</script>\r\nBcc: evil@example.com\r\n\r\n.\r\n\x00\x1b[2J\u202e" + strings.Repeat("ü<b>", 2500)
	n.Title, n.Text, n.Rule, n.URL = hostile, strings.Repeat(hostile+"\n", 20), hostile, "javascript:alert(1)"
	n.Severity, n.Key = "critical\r\nX-A: b", `k/"<>\@`
	one := notify.Finding{Vulnerability: hostile, Summary: hostile, Severity: hostile, Package: hostile, Fixed: []string{hostile, hostile}, Node: notify.Node{Name: hostile}}
	n.Facts, n.Findings = nil, nil
	for range notify.MostFindings {
		n.Findings = append(n.Findings, one)
		n.Facts = append(n.Facts, notify.Fact{Name: hostile, Value: hostile})
	}
	n.Total = 1234
	if err := e.send(t, n, nil); err != nil {
		t.Fatal(err)
	}
	m := e.received(t)
	if m.Header.Get("Bcc") != "" || m.Header.Get("X-A") != "" || strings.Contains(m.Header.Get("Envelope-To"), "evil") {
		t.Errorf("headers were injected: %v", m.Header)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "</td><script>alert(1)</script> Bcc: evil@example.com . [2Jü") || len([]rune(subject)) != 201 {
		t.Errorf("subject %q: %v", subject, err)
	}
	text, page := parts(t, m)
	for _, form := range []string{text, page} {
		if !strings.Contains(form, "… and 1184 more") {
			t.Error("does not say how many more there are")
		}
		if strings.ContainsAny(form, "\x00\x1b\u202e") {
			t.Error("holds control characters")
		}
	}
	tags := map[string]int{}
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		name, _ := z.TagName()
		tags[string(name)]++
		if strings.Contains(string(z.Raw()), "javascript:") && kind == html.StartTagToken {
			t.Errorf("%s", z.Raw())
		}
	}
	if tags["script"] != 0 || tags["b"] != 0 {
		t.Errorf("elements %v", tags)
	}
}

func TestFailures(t *testing.T) {
	e := startExim(t)
	titled := func(title string) notify.Notification {
		n := notifytest.Told()
		n.Title = title
		return n
	}
	for _, c := range []struct {
		name     string
		n        notify.Notification
		change   notify.Settings
		said     string
		rejected bool
	}{
		{"wrong password", titled("x"), notify.Settings{"password": "wrong-one"}, "535 Incorrect authentication data", false},
		{"nobody signed in", titled("x"), notify.Settings{"user": "", "password": "", "to": "members@mail.test"}, "530 5.7.0 authentication needed to members@mail.test", false},
		{"no such user", titled("x"), notify.Settings{"to": "gone@mail.test"}, "550 5.1.1 no such user to gone@mail.test", false},
		{"busy", titled("x"), notify.Settings{"to": "busy@mail.test"}, "450 4.2.1 mailbox is busy to busy@mail.test", false},
		{"spam", titled("unwanted"), nil, "554 5.7.1 looks like spam", false},
		{"too large", titled("huge"), nil, "552 too large", true},
		{"too large for the system", titled("enormous"), nil, "554 5.3.4 too large for us", true},
		{"too large for a mailbox", titled("vast"), nil, "554 5.2.3 too large for the mailbox", true},
		{"later", titled("later"), nil, "451 4.3.0 try again later", false},
	} {
		f := notifytest.Failure(t, e.send(t, c.n, c.change))
		if f.Said != c.said || f.Rejected != c.rejected {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// Some recipients are refused: the others have the message all the same, and only once.
func TestRefusedRecipients(t *testing.T) {
	e := startExim(t)
	for _, c := range []struct {
		to, said string
		rejected bool
	}{
		{"gone@mail.test, security@mail.test", "550 5.1.1 no such user to gone@mail.test; the other recipients have it", true},
		{"security@mail.test, gone@mail.test, busy@mail.test", "550 5.1.1 no such user to gone@mail.test; 450 4.2.1 mailbox is busy to busy@mail.test; the other recipients have it", true},
		{"busy@mail.test, security@mail.test", "450 4.2.1 mailbox is busy to busy@mail.test; the other recipients have it", true},
	} {
		f := notifytest.Failure(t, e.send(t, notifytest.Opened(), notify.Settings{"to": c.to}))
		if f.Said != c.said || f.Rejected != c.rejected {
			t.Errorf("%s: %+v", c.to, f)
		}
		if got := e.received(t).Header.Get("Envelope-To"); got != "security@mail.test" {
			t.Errorf("delivered to %s", got)
		}
	}
}

// Nobody has the message: it is sent again to all.
func TestNoRecipient(t *testing.T) {
	e := startExim(t)
	f := notifytest.Failure(t, e.send(t, notifytest.Opened(), notify.Settings{"to": "gone@mail.test, busy@mail.test"}))
	if want := "550 5.1.1 no such user to gone@mail.test; 450 4.2.1 mailbox is busy to busy@mail.test"; f.Said != want || f.Rejected {
		t.Errorf("%+v", f)
	}
}

// A version by which a finding is mended is named, is known of, or is not there; of what
// is over nothing is said.
func TestFixes(t *testing.T) {
	e := startExim(t)
	for _, c := range []struct {
		n       notify.Notification
		fixable bool
		fixed   []string
		want    string
	}{
		{notifytest.Opened(), true, []string{"1.2", "1.3"}, "1.2, 1.3"},
		{notifytest.Opened(), true, nil, "a version is known"},
		{notifytest.Opened(), false, nil, "no version yet"},
		{notifytest.Resolved(""), true, []string{"1.2"}, ""},
		{notifytest.Resolved(""), false, nil, ""},
	} {
		one := notifytest.Opened().Findings[0]
		one.Fixable, one.Fixed, one.Summary = c.fixable, c.fixed, "overflow"
		c.n.Text, c.n.Findings, c.n.Total = "text", []notify.Finding{one}, 1
		if err := e.send(t, c.n, nil); err != nil {
			t.Fatal(err)
		}
		text, page := parts(t, e.received(t))
		if c.want == "" {
			if both := strings.ToLower(text + page); strings.Contains(both, "fixed in") || strings.Contains(both, "version") || strings.Contains(both, "1.2") {
				t.Errorf("what is over speaks of a fix:\n%s\n%s", text, page)
			}
			if !strings.Contains(page, "<th>Node</th><th>Summary</th>") || !strings.Contains(page, "<td>web-1</td><td>overflow</td>") {
				t.Errorf("the table is\n%s", page)
			}
			continue
		}
		if !strings.Contains(text, "\n  Fixed in: "+c.want+"\n") || !strings.Contains(page, "<td>"+c.want+"</td>") {
			t.Errorf("%v, %v: lacks %q:\n%s\n%s", c.fixable, c.fixed, c.want, text, page)
		}
	}
}

// What is noted of the conversation holds no password in any form.
func TestExchange(t *testing.T) {
	e := startExim(t)
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := notifytest.Open(t, email.Kind(), e.settings()).Send(ctx, notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	request, response := exchange.Said(nil)
	for _, want := range []string{"EHLO patrol.test", "STARTTLS", "RCPT TO:<security@mail.test>", "Subject: CVE-2099-0001"} {
		if !strings.Contains(request, want) {
			t.Errorf("lacks %s:\n%s", want, request)
		}
	}
	if !strings.Contains(response, "250 OK id=") {
		t.Errorf("response\n%s", response)
	}
	for _, secret := range []string{"hush-hush", "AHBhdHJvbABodXNoLWh1c2g="} { // the latter is what PLAIN sends
		if strings.Contains(request+response, secret) {
			t.Errorf("shows the password:\n%s\n%s", request, response)
		}
	}
}

// answering is a server that says what no well-kept one does.
func answering(t *testing.T, answer func(conn net.Conn)) notify.Settings {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			answer(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return notify.Settings{"host": "127.0.0.1", "port": port, "from": "a@example.com", "to": "b@example.com", "user": "u", "password": "hush-hush"}
}

func TestOddServers(t *testing.T) {
	for _, c := range []struct{ answers, want string }{
		{"220 hello\r\n250 mail.test\r\n", "offers no STARTTLS"},
		{"554 no service here\r\n", "the far side said 554 no service here"},
		{"421 too busy\r\n", "the far side said 421 too busy"},
		{"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400"},
		{"", "EOF"},
	} {
		settings := answering(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, c.answers)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		})
		_, err := notifytest.Open(t, email.Kind(), settings).Send(t.Context(), notifytest.Opened())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v", c.answers, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	settings := answering(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 hello\r\n250-mail.test\r\n250 SIZE 1000\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	settings["encryption"], settings["user"], settings["password"] = "none", "", ""
	_, err := notifytest.Open(t, email.Kind(), settings).Send(t.Context(), notifytest.Opened())
	if f := notifytest.Failure(t, err); !f.Rejected || !strings.Contains(f.Said, "takes 1000 bytes") {
		t.Errorf("%+v", f)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	settings := answering(t, func(conn net.Conn) {
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	})
	if _, err := notifytest.Open(t, email.Kind(), settings).Send(ctx, notifytest.Opened()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSettings(t *testing.T) {
	good := notify.Settings{"host": "smtp.example.com", "from": "a@example.com", "to": "b@example.com", "user": "u", "password": "hush-hush"}
	notifytest.Open(t, email.Kind(), good)
	for _, c := range []struct{ field, value, refused string }{
		{"host", "", "host"},
		{"host", "smtp.example.com:25", "host"},
		{"host", "a b", "host"},
		{"port", "70000", "port"},
		{"port", "smtp", "port"},
		{"encryption", "ssl", "encryption"},
		{"encryption", "none", "encryption"},
		{"user", "", "user"},
		{"password", "", "password"},
		{"from", "nobody", "from"},
		{"from", "a@example.com, b@example.com", "from"},
		{"from", "a@example.com\r\nBcc: c@example.com", "from"},
		{"to", "", "to"},
		{"to", "b@example.com c@example.com", "to"},
		{"to", "b@exämple.com", "to"},
		{"to", strings.Repeat("b@example.com,", 100) + "c@example.com", "to"},
		{"helo", "two words", "helo"},
		{"ca", "no certificate", "ca"},
	} {
		settings := notify.Settings{}
		for field, value := range good {
			settings[field] = value
		}
		settings[c.field] = c.value
		notifytest.Refuses(t, email.Kind(), settings, c.refused)
	}
}

func TestForbiddenAddress(t *testing.T) {
	sender, err := email.Kind().Prepare(notify.Settings{"host": "127.0.0.1", "from": "a@example.com", "to": "b@example.com"}, outgoing.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Send(t.Context(), notifytest.Opened()); !errors.Is(err, outgoing.ErrAddress) {
		t.Errorf("error %v", err)
	}
}
