// Package shoutrrr writes notifications to the long tail of services that people and
// their telephones listen to, each named by a service URL as the library shoutrrr
// documents it ("Services", nicholas-fedor/shoutrrr v0.13).
//
// The library makes most of its connections itself, by clients that nobody can give it.
// Here no connection may be made but by the guard. So there are only services that take
// a client of ours, or whose URL the library reads and whose one request is made here;
// the others are refused when the integration is saved. Its router, which brings them
// all, is not linked.
package shoutrrr

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/platform/outgoing"
)

// Kind returns the kind of integration.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "shoutrrr", Title: "Other services (Shoutrrr)",
		Fields: []notify.Field{
			{
				Name: "url", Label: "Service URL", Required: true, Secret: true,
				Help:    "As Shoutrrr writes it. Services: " + strings.Join(names(), ", ") + ".",
				Example: "discord://TOKEN@WEBHOOK_ID",
			},
			notify.CA,
		},
		Open: open,
	}
}

func names() []string { return slices.Sorted(maps.Keys(services())) }

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	u, err := url.Parse(s.Get("url"))
	if err != nil { // which would quote it
		return nil, notify.Invalid("url", "is no URL")
	}
	of, ok := services()[u.Scheme]
	switch {
	case !ok:
		return nil, notify.Invalid("url", "%s", refusal(u.Scheme))
	case u.Host == "dummy.com": // which the library takes for anything, to show its options
		return nil, notify.Invalid("url", "is an example")
	}
	for option := range u.Query() {
		switch strings.ToLower(option) {
		case "disabletlsverification", "insecureskipverify":
			return nil, notify.Invalid("url", "asks not to check certificates (%s); give the certificate authority instead", option)
		}
	}
	post, err := of.open(u)
	if err != nil {
		return nil, notify.Invalid("url", "is no URL of %s, such as %s%s", of.title, of.example, why(err))
	}
	config, err := notify.TLS(s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	return &sender{of, post, guard.Client(guard.Transport(config)), secrets(u)}, nil
}

// wrong is an error about a URL that quotes nothing of it, as the library's do.
type wrong string

func (w wrong) Error() string { return string(w) }

func why(err error) string {
	var w wrong
	if errors.As(err, &w) {
		return ": " + string(w)
	}
	return ""
}

// refusal says what to do about a service that is none of these.
func refusal(scheme string) string {
	switch scheme {
	case "slack", "teams", "pagerduty":
		return "is of " + scheme + ", for which there is a kind of its own"
	case "smtp":
		return "is of mail, for which there is a kind of its own: email"
	case "generic":
		return "is of a webhook, for which there is a kind of its own: http"
	case "logger":
		return "reaches nobody: the logger writes to the console's own output"
	case "bark", "ifttt", "join", "lark", "notifiarr", "pushbullet", "signal", "wecom":
		return "is of " + scheme + ", whose connections Shoutrrr makes past the console's address rules; the services are " + strings.Join(names(), ", ")
	case "http", "https":
		return "is no service URL, which begins with a service's name: " + strings.Join(names(), ", ")
	}
	return "is of none of these services: " + strings.Join(names(), ", ")
}

// secrets are the parts of a URL that may stand in an answer or an error.
func secrets(u *url.URL) []string {
	parts := append(strings.Split(u.Path, "/"), u.User.Username(), u.Fragment)
	password, _ := u.User.Password()
	parts = append(parts, password, u.User.Username()+":"+password)
	if !strings.ContainsAny(u.Host, ".:[") { // no host's name: Discord's id, Pushover's user
		parts = append(parts, u.Host)
	}
	var all []string
	for _, p := range parts {
		if len(p) >= 8 {
			all = append(all, p, url.QueryEscape(p), url.PathEscape(p))
		}
	}
	return all
}

type sender struct {
	of      service
	post    post
	client  *http.Client
	secrets []string
}

// Send implements notify.Sender.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	x := &relay{ctx: ctx, client: s.client, secrets: s.secrets}
	m := s.of.write(n)
	notify.Note(ctx, m.title+"\n"+m.text, "")
	err := s.post(x, n, m)
	var f *notify.Failure
	switch {
	case x.err != nil:
		return "", x.err
	case err == nil:
		return "", nil
	case errors.As(err, &f):
		return "", &notify.Failure{Said: notify.Mask(f.Said, s.secrets)}
	case x.answered:
		return "", &notify.Failure{Said: "nothing that " + s.of.title + " says: " + notify.Mask(err.Error(), s.secrets)}
	}
	return "", fmt.Errorf("%s: %s", s.of.title, notify.Mask(err.Error(), s.secrets))
}
