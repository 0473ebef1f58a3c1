// Package http is the kind of integration for everything that takes an HTTP request:
// a webhook of one's own, a queue's or a workflow engine's.
//
// A notification is a CloudEvents 1.0 event in the structured content mode (CNCF,
// CloudEvents v1.0.2, "JSON Event Format" section 3, and "HTTP Protocol Binding"
// section 3.2). It is signed as Standard Webhooks 1.0.0 has it ("Signature scheme",
// "Webhook headers"), so that the receiver knows who sent it, and that nobody sends
// it again later.
package http

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind returns the kind.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "http", Title: "HTTP",
		Fields: []notify.Field{
			{
				Name: "url", Label: "URL", Required: true, Secret: true,
				Help: "Where to send the requests. It is kept secret, as such addresses often hold a token.", Example: "https://hooks.example.com/patrol",
			},
			{
				Name: "method", Label: "Method", Default: http.MethodPost, Choices: []string{http.MethodPost, http.MethodPut},
				Help: "What the receiver expects; nearly all expect POST.",
			},
			{
				Name: "signing_secret", Label: "Signing secret", Secret: true, Example: "whsec_…",
				Help: "Shared with the receiver, which checks signatures by it: whsec_ and then 24 to 64 random bytes in base64.",
			},
			{
				Name: "headers", Label: "Headers", Secret: true, Multiline: true, Example: "Authorization: Bearer TOKEN",
				Help: "Headers to send along, each on a line of its own as Name: value.",
			},
			notify.CA,
		},
		// What a receiver makes of a notification is not known, so it gets all.
		Records: true,
		Open:    open,
	}
}

type sender struct {
	client *http.Client
	url    string
	method string
	secret []byte // nil: requests are not signed
	header http.Header
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	u, err := s.URL("url")
	if err != nil {
		return nil, err
	}
	secret, err := parseSecret(s.Get("signing_secret"))
	if err != nil {
		return nil, err
	}
	header, err := parseHeaders(s.Get("headers"))
	if err != nil {
		return nil, err
	}
	client, err := notify.HTTPClient(guard, s.Get("ca"))
	if err != nil {
		return nil, err
	}
	return &sender{client, u.String(), s.Get("method"), secret, header}, nil
}

// Send implements notify.Sender.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	body, err := encode(n)
	if err != nil {
		return "", fmt.Errorf("encode notification %s: %w", n.ID, err)
	}
	r, err := http.NewRequestWithContext(ctx, s.method, s.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	now := time.Now()
	r.Header.Set("User-Agent", "Patrol")
	for name, values := range s.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	r.Header.Set("Idempotency-Key", n.ID)
	s.sign(r.Header, n.ID, now, body)
	_, err = notify.Do(s.client, r, now)
	return "", err
}

// sign says who sends what, and when: by the time of the attempt, not that of the
// event, a receiver knows that it is not being told again what was recorded earlier.
func (s *sender) sign(h http.Header, id string, now time.Time, body []byte) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	if s.secret == nil {
		return
	}
	mac := hmac.New(sha256.New, s.secret)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, at, body) // a hash never fails
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// parseSecret reads a secret in the form that Standard Webhooks gives it.
func parseSecret(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, notify.Invalid("signing_secret", `is not whsec_ and then 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	return secret, nil
}

// bodyLimit is how large a request's body may be, in bytes: proxies often take no
// more than 1 MiB.
const bodyLimit = 1_000_000

// textLimit is how many characters of a text are sent.
const textLimit = 4000

// event is a CloudEvent.
type event struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Time        string `json:"time"`
	// Severity is an extension attribute: routers see attributes, and no data.
	Severity        string              `json:"severity"`
	DataContentType string              `json:"datacontenttype"`
	Data            notify.Notification `json:"data"`
}

// encode returns the body of a request. Where it would be too large, it has only as
// many findings, the worst ones, as there is room for.
func encode(n notify.Notification) ([]byte, error) {
	n.Title, n.Text = cut(n.Title), cut(n.Text)
	// Arrays are never null, and the caller keeps its own.
	n.Facts, n.Findings = append([]notify.Fact{}, n.Facts...), append([]notify.Finding{}, n.Findings...)
	for i := range n.Findings {
		f := &n.Findings[i]
		f.Summary, f.Because = cut(f.Summary), cut(f.Because)
	}
	for {
		body, err := json.Marshal(event{
			SpecVersion: "1.0", ID: n.ID, Source: "/patrol", Type: "patrol.notification." + string(n.Action), Subject: n.Key,
			Time: n.Time.UTC().Format(time.RFC3339Nano), Severity: n.Severity, DataContentType: "application/json", Data: n,
		})
		switch {
		case err != nil || len(body) <= bodyLimit:
			return body, err
		case len(n.Findings) > 0:
			n.Findings = n.Findings[:len(n.Findings)/2]
		case n.Data != nil:
			n.Data = nil
		default:
			return body, nil
		}
	}
}

// cut returns the beginning of a text.
func cut(text string) string {
	count := 0
	for i := range text {
		if count == textLimit {
			return text[:i] + "…"
		}
		count++
	}
	return text
}
