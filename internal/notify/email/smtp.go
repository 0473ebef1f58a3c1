package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail/log"
	"github.com/wneessen/go-mail/smtp"

	"patrol/internal/notify"
)

// converse hands over a message.
func (e *sender) converse(ctx context.Context, conn net.Conn, message []byte) error {
	if e.encryption == implicitTLS {
		secure := tls.Client(conn, e.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	c, err := smtp.NewClient(conn, e.host)
	if err != nil {
		return err
	}
	c.SetLogger(noting{ctx})
	c.SetDebugLog(true)
	c.SkipSMTPUTF8(true) // addresses are ASCII: the message can pass servers that know no other
	if err := c.Hello(e.helo); err != nil {
		return err
	}
	if e.encryption == startTLS {
		if offered, _ := c.Extension("STARTTLS"); !offered {
			return fmt.Errorf("%s offers no STARTTLS at port %s", e.host, e.port)
		}
		if err := c.StartTLS(e.tls); err != nil {
			return err
		}
	}
	if err := e.signIn(c); err != nil {
		return err
	}
	if err := e.submit(ctx, c, message); err != nil {
		return err
	}
	_ = c.Quit() // the server has the message
	return nil
}

// signIn authenticates with the first mechanism that both sides know. The connection
// is encrypted, so PLAIN, by which every server can check a password, comes first.
func (e *sender) signIn(c *smtp.Client) error {
	if e.user == "" {
		return nil
	}
	_, offered := c.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	for _, known := range []struct {
		name string
		auth func() smtp.Auth
	}{
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", e.user, e.password, e.host, false) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(e.user, e.password, e.host, false) }},
		{"SCRAM-SHA-256", func() smtp.Auth { return smtp.ScramSHA256Auth(e.user, e.password) }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(e.user, e.password) }},
	} {
		if slices.Contains(mechanisms, known.name) {
			return c.Auth(known.auth())
		}
	}
	return fmt.Errorf("%s offers no way to sign in that Patrol knows: %q", e.host, offered)
}

// submit sends the message to those recipients whom the server accepts.
func (e *sender) submit(ctx context.Context, c *smtp.Client, message []byte) error {
	if _, size := c.Extension("SIZE"); size != "" { // RFC 1870
		if limit, err := strconv.Atoi(size); err == nil && limit > 0 && len(message) > limit {
			return &notify.Failure{Said: fmt.Sprintf("that it takes %d bytes; the message has %d", limit, len(message)), Rejected: true}
		}
	}
	if err := c.Mail("<" + e.from.Address + ">"); err != nil {
		return err
	}
	var no refusals
	for _, to := range e.to {
		err := c.Rcpt("<" + to.Address + ">")
		if answer := (*textproto.Error)(nil); errors.As(err, &answer) {
			no = append(no, refusal{to.Address, answer})
		} else if err != nil {
			return err
		}
	}
	if len(no) == len(e.to) {
		return no.failure(false)
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	notify.Note(ctx, string(message), "")
	if _, err := bytes.NewReader(message).WriteTo(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return unwanted(err)
	}
	notify.Note(ctx, "", "250 "+w.(*smtp.DataCloser).ServerResponse())
	if len(no) > 0 {
		return no.failure(true)
	}
	return nil
}

// refusal is a recipient whom the server does not accept.
type refusal struct {
	to     string
	answer *textproto.Error
}

type refusals []refusal

// failure says who did not get the message. If others did, it is never sent again: they
// would have it twice.
func (no refusals) failure(others bool) *notify.Failure {
	all := make([]string, len(no))
	for i, r := range no {
		all[i] = fmt.Sprintf("%s to %s", said(r.answer), r.to)
	}
	f := &notify.Failure{Said: strings.Join(all, "; "), Rejected: others}
	if others {
		f.Said += "; the other recipients have it"
	}
	return f
}

// unwanted is what the server said of the message itself. One that is too large stays
// so, which is 552 (RFC 1870, section 6.3), or 5.3.4 or 5.2.3 (RFC 3463, sections 3.4
// and 3.3) whatever stands before it. All else is a matter of settings or of what the
// server takes for spam, and can be mended.
func unwanted(err error) error {
	answer := (*textproto.Error)(nil)
	if !errors.As(err, &answer) {
		return err
	}
	enhanced, _, _ := strings.Cut(answer.Msg, " ")
	if answer.Code == 552 || enhanced == "5.3.4" || enhanced == "5.2.3" {
		return &notify.Failure{Said: said(answer), Rejected: true}
	}
	return err
}

// refused makes a failure of a server's answer; other errors stay what they are.
func refused(ctx context.Context, err error) error {
	if answer := (*textproto.Error)(nil); errors.As(err, &answer) {
		err = &notify.Failure{Said: said(answer)}
	}
	if f := (*notify.Failure)(nil); errors.As(err, &f) {
		notify.Note(ctx, "", f.Said)
	}
	return err
}

// said is an answer as it stands in a sentence.
func said(answer *textproto.Error) string {
	return fmt.Sprintf("%d %s", answer.Code, line(answer.Msg, 500))
}

// noting notes the conversation; what is said while signing in has been left out.
type noting struct{ ctx context.Context }

// Debugf implements log.Logger.
func (n noting) Debugf(l log.Log) {
	said := fmt.Sprintf(l.Format, l.Messages...)
	if l.Direction == log.DirClientToServer {
		notify.Note(n.ctx, said, "")
	} else {
		notify.Note(n.ctx, "", said)
	}
}

// Infof, Warnf and Errorf implement log.Logger, which is not used so here.
func (n noting) Infof(l log.Log)  { n.Debugf(l) }
func (n noting) Warnf(l log.Log)  { n.Debugf(l) }
func (n noting) Errorf(l log.Log) { n.Debugf(l) }
