// Package bulk speaks the bulk protocol that Elasticsearch and OpenSearch share: lines
// of JSON in pairs, what to do and with which document, and an answer of 200 that says
// for each pair what became of it.
//
// Every document is created under an id of its own, never indexed over another. What
// is sent again is refused with 409, version_conflict_engine_exception, which says that
// it is there already: that is success. So a delivery may be repeated without end and
// leaves one document. In a data stream this holds within its write index; one that
// rolled over in between does not know the ids of the last.
//
// It follows "Bulk index or delete documents" of the Elasticsearch API and "Bulk" of
// the OpenSearch documentation.
package bulk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
)

// batchLimit is how many bytes one request holds. Servers take 100 MB unless they are
// told otherwise (http.max_content_length), managed ones from 10 MB on.
const batchLimit = 8 << 20

// Client writes documents to one index or data stream. It may be used by several at
// once.
type Client struct {
	HTTP   *http.Client
	Server *url.URL
	Index  string
	// Header is who asks.
	Header http.Header
}

// record is a document as it is stored. Data streams want the time in @timestamp.
type record struct {
	Timestamp time.Time `json:"@timestamp"`
	document.Document
}

// action is the line before a document.
type action struct {
	Create struct {
		ID string `json:"_id"`
	} `json:"create"`
}

// Send implements notify.Sender: one document for each finding of a notification.
func (c *Client) Send(ctx context.Context, n notify.Notification) (string, error) {
	pairs, err := encode(n)
	if err != nil {
		return "", err
	}
	for _, batch := range document.Batches(pairs, batchLimit) {
		if err := c.post(ctx, batch); err != nil {
			return "", err
		}
	}
	return "", nil
}

// encode returns action and document in one, so that no batch parts them.
func encode(n notify.Notification) ([][]byte, error) {
	var pairs [][]byte
	for _, d := range document.Of(n) {
		var create action
		create.Create.ID = d.ID
		head, err := document.Line(create)
		if err != nil {
			return nil, err
		}
		body, err := document.Line(record{d.Time, d})
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, append(append(head, '\n'), body...))
	}
	return pairs, nil
}

// post sends one request. The index stands in its path and not in its lines, which
// servers may forbid (rest.action.multi.allow_explicit_index).
func (c *Client) post(ctx context.Context, pairs [][]byte) error {
	answer, err := notify.Post(ctx, c.HTTP, c.Server.JoinPath(c.Index, "_bulk").String(), "application/x-ndjson", document.Join(pairs), c.Header)
	if err != nil {
		return refusal(answer, err)
	}
	var said answers
	if err := json.Unmarshal(answer, &said); err != nil {
		return &notify.Failure{Said: "200 OK, but nothing that an answer of the bulk API is: " + err.Error()}
	}
	return said.judge(len(pairs))
}
