// Package chronicle sends each finding of a notification as a raw log to Google
// Security Operations, once Chronicle, in the form of package document. It follows
// "Ingestion API" of the Google SecOps reference, methods unstructuredlogentries and
// "Get API authentication credentials": version 2, at regional hosts, by a service
// account. (The Chronicle API has a newer method, ImportLogs, under other hosts and
// permissions.)
//
// Google compares batches: one whose logs it has had is not kept again. A notification
// always makes the same batches, so a delivery may be repeated without end and leaves
// one of each.
package chronicle

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/platform/outgoing"
)

// batchLimit leaves room for what stands around the logs in the 1 MB of one request.
const batchLimit = 900 << 10

// regions are those of "Regional Endpoints". All but us stand before the host's name.
func regions() []string {
	return []string{
		"us", "europe", "africa-south1", "asia-northeast1", "asia-south1", "asia-southeast1", "asia-southeast2", "australia-southeast1",
		"europe-central2", "europe-west2", "europe-west3", "europe-west6", "europe-west9", "europe-west12",
		"me-central1", "me-central2", "me-west1", "northamerica-northeast2", "southamerica-east1",
	}
}

// Kind is Google Security Operations.
func Kind() notify.Kind {
	return notify.Kind{
		Name: "chronicle", Title: "Google SecOps (Chronicle)", Records: true, Open: open,
		Fields: []notify.Field{
			{
				Name: "customer_id", Label: "Customer ID", Required: true, Example: "c8c65bfa-5f2c-42d4-9189-64bb7b939f2c",
				Help: "The UUID of the instance, under SIEM Settings, Profile.",
			},
			{
				Name: "credentials", Label: "Credentials", Required: true, Secret: true, Multiline: true,
				Help: "The JSON key of the service account for the Ingestion API, under SIEM Settings, Collection Agents, Ingestion Authentication File.",
			},
			{Name: "log_type", Label: "Log type", Required: true, Example: "PATROL", Help: "The ingestion label of the logs, under SIEM Settings, Available Log Types; a custom one, made for Patrol."},
			{Name: "namespace", Label: "Namespace", Default: "untagged", Help: "The environment that the nodes' names are of."},
			{Name: "region", Label: "Region", Choices: regions(), Default: "us", Help: "Where the instance is."},
			{Name: "url", Label: "Address", Example: "https://malachiteingestion-pa.googleapis.com", Help: "Instead of the region's, where a private endpoint leads to it."},
		},
	}
}

type sender struct {
	client   *http.Client
	tokens   *tokens
	endpoint string
	batch    batch // without entries
}

// batch is the body of a request ("unstructuredlogentries", "Body parameters").
type batch struct {
	CustomerID string            `json:"customer_id"`
	LogType    string            `json:"log_type"`
	Namespace  string            `json:"namespace"`
	Entries    []json.RawMessage `json:"entries"`
}

type entry struct {
	Text string `json:"log_text"`
	Time int64  `json:"ts_epoch_microseconds"`
}

func open(s notify.Settings, guard *outgoing.Guard) (notify.Sender, error) {
	customer, err := uuid.Parse(s.Get("customer_id"))
	if err != nil {
		return nil, notify.Invalid("customer_id", "is no UUID")
	}
	for _, field := range []string{"log_type", "namespace"} {
		if strings.ContainsFunc(s.Get(field), func(r rune) bool { return r <= ' ' || r > '~' }) || len(s.Get(field)) > 256 {
			return nil, notify.Invalid(field, "is not a word of at most 256 characters")
		}
	}
	host, err := address(s)
	if err != nil {
		return nil, err
	}
	tokens, err := newTokens(s.Get("credentials"), guard)
	if err != nil {
		return nil, err
	}
	client, err := notify.HTTPClient(guard, "")
	if err != nil {
		return nil, err
	}
	return &sender{
		client: client, tokens: tokens, endpoint: host.JoinPath("v2/unstructuredlogentries:batchCreate").String(),
		batch: batch{CustomerID: customer.String(), LogType: s.Get("log_type"), Namespace: s.Get("namespace")},
	}, nil
}

func address(s notify.Settings) (*url.URL, error) {
	if s.Get("url") == "" {
		host := "malachiteingestion-pa.googleapis.com"
		if region := s.Get("region"); region != "us" {
			host = region + "-" + host
		}
		return &url.URL{Scheme: "https", Host: host}, nil
	}
	u, err := s.URL("url")
	if err == nil && (u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "") {
		err = notify.Invalid("url", "is not the address of a host that begins with https://")
	}
	return u, err
}

// Send implements notify.Sender.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	entries, err := encode(n)
	if err != nil {
		return "", err
	}
	token, err := s.tokens.get(ctx)
	if err != nil {
		return "", err
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	for _, part := range document.Batches(entries, batchLimit) {
		if err := s.post(ctx, part, header); err != nil {
			return "", err
		}
	}
	return "", nil
}

// encode returns entries as they stand in a request, for that is what has a limit.
func encode(n notify.Notification) ([][]byte, error) {
	var entries [][]byte
	for _, d := range document.Of(n) {
		text, err := document.Line(d)
		if err != nil {
			return nil, err
		}
		line, err := document.Line(entry{string(text), d.Time.UnixMicro()})
		if err != nil {
			return nil, err
		}
		entries = append(entries, line)
	}
	return entries, nil
}

func (s *sender) post(ctx context.Context, entries [][]byte, header http.Header) error {
	full := s.batch
	for _, e := range entries {
		full.Entries = append(full.Entries, e)
	}
	body, err := document.Line(full)
	if err != nil {
		return err
	}
	answer, err := notify.Post(ctx, s.client, s.endpoint, "application/json", body, header)
	if err != nil {
		return s.refusal(answer, err)
	}
	// "You shouldn't receive a response unless there's an error".
	var said status
	if len(answer) > 0 && json.Unmarshal(answer, &said) != nil {
		return &notify.Failure{Said: "200 OK, but no JSON; is this the address of the Ingestion API?"}
	}
	if said.Error.Message != "" {
		return &notify.Failure{Said: "200 OK, but " + said.String()}
	}
	return nil
}

// status is how Google's APIs tell errors (google.rpc.Status, in "error").
type status struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	} `json:"error"`
}

func (s status) String() string { return s.Error.Status + ": " + s.Error.Message }

// refusal shows what was said. A 400 is of the customer or the log type, which can be
// mended: the request itself is always of the same form.
func (s *sender) refusal(answer []byte, err error) error {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return err
	}
	line, _, _ := strings.Cut(f.Said, ": ")
	var said status
	if json.Unmarshal(answer, &said) == nil && said.Error.Message != "" {
		f.Said = line + ": " + said.String()
	}
	switch code, _, _ := strings.Cut(line, " "); code {
	case "400":
		f.Rejected = false
	case "401":
		s.tokens.forget()
	}
	return f
}
