// Package splunk sends each finding of a notification as an event to the HTTP Event
// Collector of Splunk, in the form of package document. It follows "Format events for
// HTTP Event Collector", "Troubleshoot HTTP Event Collector" and "About HTTP Event
// Collector Indexer Acknowledgment" of Splunk's "Getting Data In".
//
// The collector takes no idempotency key: what is sent again is there twice, with the
// same patrol_id. Its answer says that it has read the events, not that it has kept
// them; that is what the acknowledgement of its indexer is for.
package splunk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/platform/outgoing"
)

// batchLimit is below the 1 MB of one request that Splunk Cloud takes; on premises
// it is max_content_length in limits.conf, which is larger.
const batchLimit = 900 << 10

// Kind is the HTTP Event Collector of Splunk Enterprise and Splunk Cloud.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "splunk", Title: "Splunk", Records: true, Patience: 150 * time.Second, Open: open,
		Fields: []notify.Field{
			{
				Name: "url", Label: "Collector", Required: true, Example: "https://splunk.example.com:8088",
				Help: "The address of the HTTP Event Collector, with its port: 8088 on premises. In Splunk Cloud https://http-inputs-STACK.splunkcloud.com on AWS, https://http-inputs.STACK.splunkcloud.com on Google Cloud and Azure.",
			},
			{
				Name: "token", Label: "Token", Required: true, Secret: true, Example: "12345678-1234-1234-1234-1234567890ab",
				Help: "The value of a token under Settings, Data Inputs, HTTP Event Collector.",
			},
			{Name: "index", Label: "Index", Example: "security", Help: "Where events go; without it the default index of the token."},
			{Name: "source", Label: "Source", Default: "patrol", Help: "The events' field source."},
			{Name: "sourcetype", Label: "Source type", Default: "patrol:finding", Help: "The events' field sourcetype."},
			{
				Name: "acknowledge", Label: "Wait for the indexer", Choices: []string{"true", "false"}, Default: "false",
				Help: "Whether events count as delivered only once they are indexed. The token needs indexer acknowledgment if so, and must not have it if not.",
			},
			notify.CA,
		},
	}
}

type sender struct {
	client                    *http.Client
	collector                 *url.URL
	token                     string
	index, source, sourcetype string
	acknowledge               bool
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	collector, err := s.URL("url")
	if err != nil {
		return nil, err
	}
	if collector.RawQuery != "" || collector.Fragment != "" {
		return nil, notify.Invalid("url", "has a ? or a #; only the collector's address is meant")
	}
	// Splunk's own examples show the whole path, and people paste it.
	path := strings.TrimSuffix(strings.TrimSuffix(collector.Path, "/"), "/event")
	collector.Path = strings.TrimSuffix(path, "/services/collector")
	token := s.Get("token")
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, notify.Invalid("token", "is no token; give its value alone, without the word Splunk before it")
	}
	client, err := notify.HTTPClient(guard, s.Get(notify.CA.Name))
	if err != nil {
		return nil, err
	}
	return &sender{client, collector, token, s.Get("index"), s.Get("source"), s.Get("sourcetype"), s.Get("acknowledge") == "true"}, nil
}

// event is what the collector takes ("Event metadata").
type event struct {
	Time       json.Number       `json:"time"` // seconds of the epoch
	Host       string            `json:"host,omitempty"`
	Source     string            `json:"source"`
	SourceType string            `json:"sourcetype"`
	Index      string            `json:"index,omitempty"`
	Event      document.Document `json:"event"`
}

// Send implements notify.Sender.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	events, err := s.events(n)
	if err != nil {
		return "", err
	}
	to, err := s.channel(n)
	if err != nil {
		return "", err
	}
	for _, batch := range document.Batches(events, batchLimit) {
		if err := to.post(ctx, document.Join(batch)); err != nil {
			return "", err
		}
	}
	return "", to.await(ctx)
}

func (s *sender) events(n notify.Notification) ([][]byte, error) {
	var lines [][]byte
	for _, d := range document.Of(n) {
		line, err := document.Line(event{seconds(d.Time), d.NodeName, s.source, s.sourcetype, s.index, d})
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// seconds are those of the epoch, with as many digits as Patrol's times have.
func seconds(t time.Time) json.Number {
	return json.Number(strconv.FormatInt(t.Unix(), 10) + fmt.Sprintf(".%06d", t.Nanosecond()/1000))
}

// channel is one delivery's: acknowledgements are numbered within it.
type channel struct {
	*sender
	client  *http.Client
	header  http.Header
	pending []int64 // acknowledgements that are waited for
}

// channel returns that of a notification, whose id is the same each time that it is
// sent. Behind a load balancer only the indexer that has the events knows of them, so
// the cookies by which balancers stick to one are kept while it lasts.
func (s *sender) channel(n notify.Notification) (*channel, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	sticky := *s.client
	sticky.Jar = jar
	header := http.Header{"Authorization": {"Splunk " + s.token}}
	if s.acknowledge {
		header.Set("X-Splunk-Request-Channel", uuid.NewSHA1(uuid.NameSpaceURL, []byte("patrol:"+n.ID)).String())
	}
	return &channel{sender: s, client: &sticky, header: header}, nil
}

func (c *channel) post(ctx context.Context, body []byte) error {
	answer, err := notify.Post(ctx, c.client, c.collector.JoinPath("services/collector/event").String(), "application/json", body, c.header)
	if err != nil {
		return refusal(answer, err)
	}
	var said reply
	if err := json.Unmarshal(answer, &said); err != nil || said.Code == nil {
		return &notify.Failure{Said: "200 OK, but nothing that the HTTP Event Collector says; is this its address?"}
	}
	switch {
	case *said.Code != 0:
		return &notify.Failure{Said: "200 OK, but " + said.String(), Rejected: said.rejects()}
	case !c.acknowledge:
		return nil
	case said.AckID == nil:
		return &notify.Failure{Said: "200 OK, but no acknowledgement id: the token has no indexer acknowledgment"}
	}
	c.pending = append(c.pending, *said.AckID)
	return nil
}

// reply is what the collector says of events.
type reply struct {
	Text    string `json:"text"`
	Code    *int   `json:"code"`
	AckID   *int64 `json:"ackId"`
	Invalid *int   `json:"invalid-event-number"`
}

func (r reply) String() string {
	text := fmt.Sprintf("%s (code %d)", r.Text, *r.Code)
	if r.Invalid != nil {
		text += fmt.Sprintf(", event %d", *r.Invalid)
	}
	return text
}

// rejects tells of answers that are of these very events. All others are of the
// token, such as an index that it may not write to, or of the server.
func (r reply) rejects() bool {
	switch *r.Code {
	case 5, 6, 12, 13, 15: // no data, invalid data format, event field missing, blank, indexed fields
		return true
	}
	return false
}

func refusal(answer []byte, err error) error {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return err
	}
	var said reply
	if json.Unmarshal(answer, &said) == nil && said.Code != nil {
		status, _, _ := strings.Cut(f.Said, ": ")
		f.Said, f.Rejected = status+": "+said.String(), f.Rejected && said.rejects()
	}
	return f
}
