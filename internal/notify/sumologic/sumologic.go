// Package sumologic sends each finding of a notification as a line of JSON to an HTTP
// Logs and Metrics Source of Sumo Logic, in the form of package document. It follows
// "Upload Logs to an HTTP Source" and "HTTP Logs and Metrics Source" of Sumo Logic's
// documentation.
//
// A source takes no idempotency key: what is sent again is there twice, with the same
// patrol_id.
package sumologic

import (
	"context"
	"net/http"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/platform/outgoing"
)

// batchLimit is below the 1 MB of one request ("Data payload considerations").
// Compression, which that page recommends, would leave the delivery log unreadable.
const batchLimit = 900 << 10

// Kind is an HTTP source of Sumo Logic.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "sumologic", Title: "Sumo Logic", Records: true, Open: open,
		Fields: []notify.Field{
			{
				Name: "url", Label: "Source address", Required: true, Secret: true, Example: "https://endpoint4.collection.us2.sumologic.com/receiver/v1/http/ZaVnC4dhaV1…",
				Help: "What an HTTP Logs and Metrics Source shows under Show URL. Who knows it can send to it.",
			},
			{Name: "category", Label: "Source category", Default: "patrol/findings", Help: "The metadata field _sourceCategory; it replaces the source's own."},
			{Name: "name", Label: "Source name", Default: "patrol", Help: "The metadata field _sourceName."},
			{Name: "host", Label: "Source host", Example: "patrol.example.com", Help: "The metadata field _sourceHost; without it that of the source."},
		},
	}
}

type sender struct {
	client *http.Client
	url    string
	header http.Header
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	source, err := s.URL("url")
	switch {
	case err != nil:
		return nil, err
	case source.Scheme != "https":
		return nil, notify.Invalid("url", "begins with http://, which would show it to everyone on the way")
	case strings.Trim(source.Path, "/") == "":
		return nil, notify.Invalid("url", "has no path, which is what tells one source from another")
	case source.String() != s.Get("url"):
		// It is sent, and masked in the delivery log, as it stands.
		return nil, notify.Invalid("url", "is not written as Sumo Logic shows it")
	}
	header := http.Header{}
	for field, name := range map[string]string{"category": "X-Sumo-Category", "name": "X-Sumo-Name", "host": "X-Sumo-Host"} {
		value := s.Get(field)
		if len(value) > 1024 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, notify.Invalid(field, "is not at most 1024 characters of printable ASCII, which the header %s is", name)
		}
		if value != "" {
			header.Set(name, value)
		}
	}
	client, err := notify.HTTPClient(guard, "")
	if err != nil {
		return nil, err
	}
	return &sender{client, source.String(), header}, nil
}

// Send implements notify.Sender.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	var lines [][]byte
	for _, d := range document.Of(n) {
		line, err := document.Line(d)
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	for _, batch := range document.Batches(lines, batchLimit) {
		// Anything but the types of metrics is taken for logs.
		if _, err := notify.Post(ctx, s.client, s.url, "application/x-ndjson", document.Join(batch), s.header); err != nil {
			return "", err
		}
	}
	return "", nil
}
