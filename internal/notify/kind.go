package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/outgoing"
	"patrol/internal/platform/problem"
)

// Kind is a kind of integration: what it asks of who adds one, and how it sends. Each
// stands in a folder of its own.
type Kind struct {
	Name   string // slack
	Title  string // Slack
	Fields []Field
	// Tracks tells that the far side keeps one thing for each key, an incident or an
	// issue, which later notifications of the key change and end.
	Tracks bool
	// Records tells that it keeps every notification, as a store of documents does: all
	// are for it, none takes the place of another, and of scans and nodes the findings
	// beyond the first [MostFindings] come in further ones. A kind that neither tracks nor records is
	// told of what is opened, and of what ends if the rule says so.
	Records bool
	// Patience is how long the far side may take for one notification, where that is
	// more than half a minute.
	Patience time.Duration
	// Open checks settings, in which only fields of the kind are, and returns the
	// sender. What cannot be accepted is an [Invalid] that names the field. It
	// connects to nothing.
	Open func(Settings, *outgoing.Guard) (Sender, error)
}

// Field is one thing to say of an integration.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Example  string   `json:"example,omitempty"`
	Default  string   `json:"default,omitempty" doc:"What an empty value means."`
	Choices  []string `json:"choices,omitempty" doc:"The only values, if there are any."`
	Required bool     `json:"required"`
	// Secret values are kept encrypted and never shown again.
	Secret    bool `json:"secret"`
	Multiline bool `json:"multiline"`
}

// CA is the field for who signs the far side's certificate, for kinds that may stand
// in a network of one's own.
var CA = Field{
	Name: "ca", Label: "Certificate authority", Multiline: true,
	Help: "PEM certificates by which the far side's is checked; without it those of the console's machine.",
}

// Settings are the values of an integration's fields, by their names.
type Settings map[string]string

// Get returns a value; that which an empty one means is filled in before a kind sees
// its settings.
func (s Settings) Get(field string) string { return s[field] }

// URL returns the http or https URL of a field.
func (s Settings) URL(field string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s[field]))
	switch {
	case err != nil:
		return nil, Invalid(field, "is no URL") // the error would quote it, and it may be a secret
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, Invalid(field, "is no URL that begins with https:// or http://")
	case u.User != nil:
		return nil, Invalid(field, "holds a user name or a password; there are fields for those")
	}
	return u, nil
}

// Invalid refuses the value of a field.
func Invalid(field, format string, args ...any) error {
	return problem.Invalid("settings."+field, format, args...)
}

// Sender sends notifications to one far side. It may be used by several at once.
type Sender interface {
	// Send delivers a notification and returns what the far side calls the thing it
	// made of it, such as PROJ-17, or "". It may be called again with the same
	// notification. An error is a [Failure] where the far side gave an answer, and
	// else whatever kept it from being asked.
	Send(ctx context.Context, n Notification) (ref string, err error)
}

// check refuses settings that are no values of the kind's fields, and fills in what
// empty ones mean.
func (k Kind) check(given Settings) (Settings, error) {
	full := Settings{}
	for _, f := range k.Fields {
		value := strings.TrimSpace(given[f.Name])
		switch {
		case value == "" && f.Required:
			return nil, Invalid(f.Name, "is needed")
		case value == "":
			value = f.Default
		case f.Choices != nil && !slices.Contains(f.Choices, value):
			return nil, Invalid(f.Name, "is none of %s", strings.Join(f.Choices, ", "))
		}
		full[f.Name] = value
	}
	for name := range given {
		if _, ok := full[name]; !ok {
			return nil, Invalid(name, "is no field of %s, which has %s", k.Name, strings.Join(k.fieldNames(), ", "))
		}
	}
	return full, nil
}

func (k Kind) fieldNames() []string {
	names := make([]string, len(k.Fields))
	for i, f := range k.Fields {
		names[i] = f.Name
	}
	return names
}

// Prepare returns a sender for settings as people give them.
func (k Kind) Prepare(given Settings, guard *outgoing.Guard) (Sender, error) {
	full, err := k.check(given)
	if err != nil {
		return nil, err
	}
	return k.Open(full, guard)
}

// TLS is the configuration for far sides whose certificate is checked by the value
// of the field [CA]; nil if that is empty.
func TLS(ca string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		return nil, Invalid(CA.Name, "holds no PEM certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// HTTPClient returns a client whose requests and answers are noted in the delivery
// log; ca is the value of the field [CA].
func HTTPClient(guard *outgoing.Guard, ca string) (*http.Client, error) {
	config, err := TLS(ca)
	if err != nil {
		return nil, err
	}
	return guard.Client(noting{guard.Transport(config)}), nil
}
