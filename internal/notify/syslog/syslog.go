// Package syslog is the kind of integration for log servers and what reads from them.
//
// Each finding of a notification is a message of its own by RFC 5424, since that is
// what is searched and counted there; a notification without findings is one message.
// They are sent over TLS by RFC 5425, over TCP with its framing (RFC 6587, section
// 3.4.1), or over UDP by RFC 5426. The protocol has no answer: that a server has
// stored a message is never known, only that it closed the connection in good order or,
// on Linux, that its system took all bytes of it.
package syslog

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind returns the kind.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "syslog", Title: "Syslog",
		Fields: []notify.Field{
			{Name: "host", Label: "Server", Required: true, Help: "The log server.", Example: "logs.example.com"},
			{Name: "port", Label: "Port", Help: "6514 with tls, 601 with tcp and 514 with udp, unless you say otherwise.", Example: "6514"},
			{
				Name: "transport", Label: "Transport", Default: "tls", Choices: []string{"tls", "tcp", "udp"},
				Help: "How messages get there: tcp and udp can be read and changed on the way, and udp loses some.",
			},
			{Name: "facility", Label: "Facility", Default: "local0", Choices: facilityNames(), Help: "By which the server sorts messages."},
			{Name: "app_name", Label: "Application name", Default: "patrol", Help: "What messages say they are from: APP-NAME.", Example: "patrol"},
			notify.CA,
			{
				Name: "client_cert", Label: "Client certificate", Multiline: true,
				Help: "PEM certificate by which the console shows who it is, if the server wants one.",
			},
			{Name: "client_key", Label: "Client key", Multiline: true, Secret: true, Help: "PEM private key of the client certificate."},
		},
		Records: true,
		Open:    open,
	}
}

type sender struct {
	guard      *outgoing.Guard
	host, port string
	transport  string
	tls        *tls.Config // nil without tls
	format     format
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	e := &sender{guard: guard, host: s.Get("host"), port: s.Get("port"), transport: s.Get("transport")}
	if err := e.checkServer(); err != nil {
		return nil, err
	}
	if err := e.checkTLS(s); err != nil {
		return nil, err
	}
	app := s.Get("app_name")
	if !printable(app) || len(app) > 48 {
		return nil, notify.Invalid("app_name", "is not 1 to 48 printable ASCII characters without spaces")
	}
	e.format = format{facility: facilities()[s.Get("facility")], host: "-", app: app, limit: streamLimit}
	if name, err := os.Hostname(); err == nil && printable(name) && len(name) <= 255 {
		e.format.host = name
	}
	if e.transport == "udp" {
		e.format.limit = datagramLimit
	}
	return e, nil
}

// hostName is a name by RFC 1123, section 2.1; an underscore is seen in the wild.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9])?$`)

func (e *sender) checkServer() error {
	if _, err := netip.ParseAddr(e.host); err != nil && !hostName.MatchString(e.host) {
		return notify.Invalid("host", "is no host name or address; the port has a field of its own")
	}
	if e.port == "" {
		e.port = map[string]string{"tls": "6514", "tcp": "601", "udp": "514"}[e.transport]
	}
	if n, err := strconv.ParseUint(e.port, 10, 16); err != nil || n == 0 {
		return notify.Invalid("port", "is no number from 1 to 65535")
	}
	return nil
}

func (e *sender) checkTLS(s notify.Settings) error {
	cert, key := s.Get("client_cert"), s.Get("client_key")
	if e.transport != "tls" {
		for _, field := range []string{"ca", "client_cert", "client_key"} {
			if s.Get(field) != "" {
				return notify.Invalid(field, "is of no use with %s", e.transport)
			}
		}
		return nil
	}
	config, err := notify.TLS(s.Get("ca"))
	if err != nil {
		return err
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = e.host
	switch {
	case cert == "" && key != "":
		return notify.Invalid("client_cert", "is needed with a client key")
	case cert != "" && key == "":
		return notify.Invalid("client_key", "is needed with a client certificate")
	case cert != "":
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			return notify.Invalid("client_cert", "and client_key are no PEM certificate and its private key")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	e.tls = config
	return nil
}

// Times that a server is given: for all of it, and for closing the connection after
// it has seen the end of what is sent.
const (
	patience  = time.Minute
	untilDone = 3 * time.Second
)

// Send implements notify.Sender.
func (e *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	messages := e.format.messages(n)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	network := "tcp"
	if e.transport == "udp" {
		network = "udp"
	}
	conn, err := e.guard.Dial(ctx, network, net.JoinHostPort(e.host, e.port))
	if err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	notify.Note(ctx, strings.Join(messages, "\n"), "")
	if network == "udp" {
		err = datagrams(conn, messages)
	} else {
		err = e.stream(ctx, conn, messages)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w while sending to %s: %w", ctx.Err(), e.host, err)
	}
	return "", err
}

func datagrams(conn net.Conn, messages []string) error {
	for _, m := range messages {
		if _, err := io.WriteString(conn, m); err != nil {
			return err
		}
	}
	return nil
}

// closeWriter is a connection of which one side can be closed.
type closeWriter interface {
	net.Conn
	CloseWrite() error
}

// stream sends messages with their lengths (RFC 5425, section 4.3), and waits until
// the server has read them all, as far as that can be seen: it closes its side, too. One
// that refused them would reset the connection, or send an alert.
func (e *sender) stream(ctx context.Context, conn net.Conn, messages []string) error {
	stream, ok := conn.(closeWriter)
	if e.tls != nil {
		secure := tls.Client(conn, e.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		stream, ok = secure, true
	}
	if !ok {
		return fmt.Errorf("a connection to %s has no end", e.host)
	}
	var frames bytes.Buffer
	for _, m := range messages {
		fmt.Fprintf(&frames, "%d %s", len(m), m)
	}
	if _, err := frames.WriteTo(stream); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	if err := stream.SetReadDeadline(time.Now().Add(untilDone)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, stream)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // some servers never close
		if n := unacknowledged(conn); n > 0 && ctx.Err() == nil {
			return fmt.Errorf("%s did not take it: %d bytes are still under way after %v", e.host, n, untilDone)
		}
		return ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF): // and some do without the goodbye of TLS
		return ctx.Err()
	}
	return err
}

// facilities are those of RFC 5424, section 6.2.1, that are for applications.
func facilities() map[string]int {
	all := map[string]int{"user": 1, "daemon": 3, "auth": 4, "authpriv": 10}
	for i := range 8 {
		all["local"+strconv.Itoa(i)] = 16 + i
	}
	return all
}

func facilityNames() []string {
	names := make([]string, 0, len(facilities()))
	for name := range facilities() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
