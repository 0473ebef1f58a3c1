// Package pagerduty opens and resolves alerts of PagerDuty, by its Events API v2.
//
// A notification's key is the alert's dedup_key, so whatever Patrol says of one matter
// meets in one alert: a trigger opens it, another updates it, a resolve ends it. What is
// sent twice is therefore seen once. The vendor's documents are "Events API v2 Overview"
// (response codes, size limits, PD-CEF) and "Send an Alert Event"
// (https://developer.pagerduty.com/docs/send-alert-event).
package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind is PagerDuty.
func Kind() notify.Kind {
	ca := notify.CA
	ca.Help = "PEM certificates, where a proxy on the way to PagerDuty shows one of its own; without it those of the console's machine."
	return notify.Kind{
		Name: "pagerduty", Title: "PagerDuty", Tracks: true, Open: open,
		Fields: []notify.Field{
			{
				Name: "routing_key", Label: "Integration key", Required: true, Secret: true,
				Help:    "32 characters: Services, your service, Integrations, Add integration, Events API V2.",
				Example: "0123456789abcdef0123456789abcdef",
			},
			{
				Name: "url", Label: "Events API", Default: "https://events.pagerduty.com",
				Help:    "Where your account lives: https://events.eu.pagerduty.com in the EU service region.",
				Example: "https://events.eu.pagerduty.com",
			},
			ca,
		},
	}
}

type sender struct {
	client   *http.Client
	url, key string
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	key := s.Get("routing_key")
	if !regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString(key) {
		return nil, notify.Invalid("routing_key", "is no integration key, which has 32 letters and digits")
	}
	u, err := s.URL("url")
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "https":
		return nil, notify.Invalid("url", "does not begin with https://, and the integration key would be sent in the clear")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, notify.Invalid("url", "has more than a host and a path, such as https://events.pagerduty.com")
	}
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v2/enqueue") // some paste all of it
	return &sender{client, u.JoinPath("v2", "enqueue").String(), key}, nil
}

// answer is what the Events API says of an event.
type answer struct {
	Status   string   `json:"status"`
	Message  string   `json:"message"`
	DedupKey string   `json:"dedup_key"`
	Errors   []string `json:"errors"`
}

// Send implements notify.Sender. The alert's dedup_key is returned.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	var event bytes.Buffer
	encoder := json.NewEncoder(&event)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(eventOf(s.key, n)); err != nil {
		return "", err
	}
	body, err := notify.Post(ctx, s.client, s.url, "application/json", event.Bytes(), nil)
	var said answer
	plain := json.Unmarshal(body, &said)
	if err != nil {
		return "", inWords(err, said)
	}
	if plain != nil || said.Status != "success" {
		return "", &notify.Failure{Said: fmt.Sprintf("nothing that accepts the event: %.200q; is this PagerDuty?", body)}
	}
	return said.DedupKey, nil
}

// calm is how long to leave PagerDuty alone when it has too many events: "preferably
// with a backoff of a few minutes" (Events API v2 Overview, Rate Limits).
const calm = 2 * time.Minute

// inWords says what was refused as people read it.
func inWords(err error, said answer) error {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return err
	}
	if said.Message != "" {
		status, _, _ := strings.Cut(f.Said, ": ")
		f.Said = strings.Join(append([]string{status, said.Message}, said.Errors...), ": ")
	}
	switch {
	case strings.HasPrefix(f.Said, "429") && f.After == 0:
		f.After = calm
	case strings.Contains(strings.ReplaceAll(f.Said, "_", " "), "routing key"):
		f.Rejected = false // the settings are wrong, not what was to be said
	}
	return f
}
