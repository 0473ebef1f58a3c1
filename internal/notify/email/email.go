// Package email is the kind of integration for people who read mail.
//
// A notification is a message of plain text and HTML (RFC 2046, section 5.1.4) that is
// handed to a submission server by SMTP (RFC 5321; RFC 6409; over TLS as in RFC 8314 or
// by STARTTLS as in RFC 3207). All messages of one matter refer to one message id that
// was never sent (RFC 5322, section 3.6.4), so that mail programs show them as one
// conversation, whichever came first.
package email

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// How the connection is encrypted.
const (
	startTLS    = "starttls" // it becomes so before anything is said
	implicitTLS = "tls"      // from its first byte
	plain       = "none"
)

// Kind returns the kind.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "email", Title: "Email", Patience: patience,
		Fields: []notify.Field{
			{Name: "host", Label: "Server", Required: true, Help: "The mail server that takes messages for delivery.", Example: "smtp.example.com"},
			{Name: "port", Label: "Port", Help: "587 with starttls, 465 with tls and 25 with none, unless you say otherwise.", Example: "587"},
			{
				Name: "encryption", Label: "Encryption", Default: startTLS, Choices: []string{startTLS, implicitTLS, plain},
				Help: "What the server offers at that port. With none, no password is sent.",
			},
			{Name: "user", Label: "User", Help: "Who signs in at the server; empty if nobody needs to.", Example: "patrol@example.com"},
			{Name: "password", Label: "Password", Secret: true, Help: "That of the user; often one made for applications."},
			{Name: "from", Label: "From", Required: true, Help: "The sender; the server must allow it.", Example: "Patrol <patrol@example.com>"},
			{Name: "to", Label: "To", Required: true, Help: "Who gets the messages, separated by commas.", Example: "security@example.com, Ops <ops@example.com>"},
			{Name: "helo", Label: "HELO name", Help: "What the console calls itself; empty for its host name.", Example: "patrol.example.com"},
			notify.CA,
		},
		Open: open,
	}
}

type sender struct {
	guard          *outgoing.Guard
	host, port     string
	encryption     string
	tls            *tls.Config // nil without encryption
	user, password string
	from           *mail.Address
	to             []*mail.Address
	helo           string
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	e := &sender{
		guard: guard, host: s.Get("host"), port: s.Get("port"), encryption: s.Get("encryption"),
		user: s.Get("user"), password: s.Get("password"), helo: s.Get("helo"),
	}
	for _, check := range []func(notify.Settings) error{e.checkServer, e.checkTLS, e.checkUser, e.checkAddresses} {
		if err := check(s); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// hostName is a name by RFC 1123, section 2.1; an underscore is seen in the wild.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?$`)

// defaultPort is that of submission over TLS (RFC 8314), of submission (RFC 6409)
// or of relaying (RFC 5321).
func defaultPort(encryption string) string {
	switch encryption {
	case implicitTLS:
		return "465"
	case startTLS:
		return "587"
	}
	return "25"
}

func (e *sender) checkServer(notify.Settings) error {
	if _, err := netip.ParseAddr(e.host); err != nil && !hostName.MatchString(e.host) {
		return notify.Invalid("host", "is no host name or address; the port has a field of its own")
	}
	if e.port == "" {
		e.port = defaultPort(e.encryption)
	}
	if n, err := strconv.ParseUint(e.port, 10, 16); err != nil || n == 0 {
		return notify.Invalid("port", "is no number from 1 to 65535")
	}
	if e.helo == "" {
		e.helo, _ = os.Hostname() // the next line is for who has none
	}
	if e.helo == "" {
		e.helo = "localhost"
	}
	if !hostName.MatchString(e.helo) {
		return notify.Invalid("helo", "%q is no host name", e.helo)
	}
	return nil
}

func (e *sender) checkTLS(s notify.Settings) error {
	config, err := notify.TLS(s.Get("ca"))
	switch {
	case err != nil:
		return err
	case e.encryption == plain && config != nil:
		return notify.Invalid("ca", "is of no use without encryption")
	case e.encryption == plain:
		return nil
	case config == nil:
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = e.host
	e.tls = config
	return nil
}

func (e *sender) checkUser(notify.Settings) error {
	switch {
	case e.user == "" && e.password != "":
		return notify.Invalid("user", "is needed with a password")
	case e.user != "" && e.password == "":
		return notify.Invalid("password", "is needed with a user")
	case e.user != "" && e.encryption == plain:
		return notify.Invalid("encryption", "is needed with a password, which anybody on the way could read")
	}
	return nil
}

func (e *sender) checkAddresses(s notify.Settings) error {
	from, err := parseAddresses("from", s.Get("from"))
	if err != nil {
		return err
	}
	if len(from) != 1 {
		return notify.Invalid("from", "holds %d addresses; there is one sender", len(from))
	}
	e.from = from[0]
	e.to, err = parseAddresses("to", s.Get("to"))
	if len(e.to) > 100 {
		return notify.Invalid("to", "holds %d addresses, and servers take 100 (RFC 5321, section 4.5.3.1.8); use a mailing list", len(e.to))
	}
	return err
}

// parseAddresses reads addresses whose parts are ASCII: few servers deliver others, and
// none need them for a domain, which can be written as xn--….
func parseAddresses(field, text string) ([]*mail.Address, error) {
	list, err := mail.ParseAddressList(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, notify.Invalid(field, "is no address such as Patrol <patrol@example.com>, or several separated by commas")
	}
	for _, a := range list {
		for _, r := range a.Address {
			if r <= ' ' || r >= 0x7f {
				return nil, notify.Invalid(field, "holds %q, in which not all characters are printable ASCII", a.Address)
			}
		}
	}
	return list, nil
}

// patience is how long one message may take.
const patience = 5 * time.Minute

// Send implements notify.Sender. What was refused for some recipients only is a
// failure that says so, after the others were sent it.
func (e *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	message, err := e.compose(n)
	if err != nil {
		return "", fmt.Errorf("compose the message of notification %s: %w", n.ID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := e.guard.Dial(ctx, "tcp", net.JoinHostPort(e.host, e.port))
	if err != nil {
		return "", err
	}
	// A conversation ends when nobody waits for it any more.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if err := e.converse(ctx, conn, message); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%w while talking to %s: %w", ctx.Err(), e.host, err)
		}
		return "", refused(ctx, err)
	}
	return "", nil
}
