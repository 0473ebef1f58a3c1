// Package bulktest tests the kinds of integration that speak the bulk protocol against
// a server that keeps documents as theirs do, and speaks through the types that the
// vendor of each publishes.
package bulktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
)

// Dialect is what differs between the vendors.
type Dialect struct {
	Kind notify.Kind
	// Credentials are settings, and Authorization the header that they make.
	Credentials   notify.Settings
	Authorization string
	// Action reads the line before a document and returns the id it is created under.
	Action func(line []byte) (id string, err error)
	// Answer is the vendor's answer to a request with these outcomes.
	Answer func([]Outcome) any
}

// Outcome is what became of one document.
type Outcome struct {
	ID           string
	Status       int
	Type, Reason string // of the error, where there is one
}

// index is a server that keeps the documents of one index.
type index struct {
	Dialect
	t         *testing.T
	documents map[string]json.RawMessage
	actions   []string // lines, as they came
	ids       []string // in the order of arrival
	requests  int
	// refuse says what to say of a document instead of keeping it; nil keeps all.
	refuse func(id string) Outcome
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.requests++
	if r.Method != http.MethodPost || r.URL.Path != "/base/logs-patrol.findings-default/_bulk" || r.Header.Get("Content-Type") != "application/x-ndjson" || r.Header.Get("Authorization") != x.Authorization {
		x.t.Errorf("asked %s %s with %v", r.Method, r.URL, r.Header)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		x.t.Error(err)
	}
	if len(body) > 10_000_000 {
		x.t.Errorf("a request of %d bytes", len(body))
	}
	lines := bytes.SplitAfter(body, []byte("\n"))
	if len(lines)%2 != 1 || len(lines[len(lines)-1]) != 0 {
		x.t.Errorf("the body has no pairs of lines that end with a line end")
		return
	}
	var outcomes []Outcome
	for i := 0; i+1 < len(lines); i += 2 {
		outcomes = append(outcomes, x.create(lines[i], lines[i+1]))
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(x.Answer(outcomes)); err != nil {
		x.t.Error(err)
	}
}

func (x *index) create(action, document []byte) Outcome {
	id, err := x.Action(action)
	if err != nil || id == "" {
		x.t.Errorf("action %s: %v", action, err)
	}
	if !json.Valid(document) {
		x.t.Errorf("document %s is no JSON", document)
	}
	if x.refuse != nil {
		if outcome := x.refuse(id); outcome.Status != 0 {
			outcome.ID = id
			return outcome
		}
	}
	if _, there := x.documents[id]; there {
		return Outcome{id, http.StatusConflict, "version_conflict_engine_exception", "[" + id + "]: version conflict, document already exists (current version [1])"}
	}
	x.documents[id] = document
	x.actions, x.ids = append(x.actions, string(action)), append(x.ids, id)
	return Outcome{ID: id, Status: http.StatusCreated}
}

func (d Dialect) settings(url, ca string) notify.Settings {
	s := notify.Settings{"url": url + "/base", "index": "logs-patrol.findings-default", "ca": ca}
	for name, value := range d.Credentials {
		s[name] = value
	}
	return s
}

func (d Dialect) start(t *testing.T) (*index, notify.Sender) {
	x := &index{Dialect: d, t: t, documents: map[string]json.RawMessage{}}
	url, ca := notifytest.Serve(t, x.ServeHTTP)
	return x, notifytest.Open(t, d.Kind, d.settings(url, ca))
}

// Run tests a kind.
func Run(t *testing.T, d Dialect) {
	t.Run("arrives", d.arrives)
	t.Run("repeated", d.repeated)
	t.Run("many", d.many)
	t.Run("partly", d.partly)
	t.Run("items", d.items)
	t.Run("refused", d.refused)
	t.Run("strange answers", d.strange)
	t.Run("settings", d.refuses)
	t.Run("hangs", func(t *testing.T) {
		notifytest.Hangs(t, func(url, ca string) notify.Sender { return notifytest.Open(t, d.Kind, d.settings(url, ca)) })
	})
	t.Run("certificate", func(t *testing.T) {
		notifytest.Distrusts(t, func(url string) notify.Sender { return notifytest.Open(t, d.Kind, d.settings(url, "")) })
	})
}

func (d Dialect) arrives(t *testing.T) {
	x, sender := d.start(t)
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		if _, err := sender.Send(t.Context(), n); err != nil {
			t.Fatalf("%s: %v", n.Action, err)
		}
		id := n.ID
		if len(n.Findings) > 0 {
			id += "-17"
		}
		var got struct {
			Timestamp string `json:"@timestamp"`
			ID        string `json:"patrol_id"`
			Action    string `json:"action"`
			Title     string `json:"title"`
		}
		if err := json.Unmarshal(x.documents[id], &got); err != nil {
			t.Fatalf("%s, which is %s: %v", n.Action, id, err)
		}
		if got.Timestamp != "2026-08-21T12:00:00Z" || got.ID != id || got.Action != string(n.Action) || got.Title != n.Title {
			t.Errorf("%s arrives as %+v", n.Action, got)
		}
	}
	if len(x.documents) != 7 {
		t.Errorf("%d documents; want 2 for each with findings, and 1", len(x.documents))
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, x.documents[x.ids[0]], "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, d.Kind.Name, x.actions[0]+pretty.String())
}

func (d Dialect) repeated(t *testing.T) {
	x, sender := d.start(t)
	for range 3 {
		if _, err := sender.Send(t.Context(), notifytest.Opened()); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.documents) != 2 || x.requests != 3 {
		t.Errorf("%d documents of %d requests; want 2 of 3", len(x.documents), x.requests)
	}
}

func (d Dialect) many(t *testing.T) {
	x, sender := d.start(t)
	if _, err := sender.Send(t.Context(), notifytest.Many()); err != nil {
		t.Fatal(err)
	}
	if len(x.documents) != notify.MostFindings {
		t.Errorf("%d documents; want %d", len(x.documents), notify.MostFindings)
	}
}

// partly: a second try stores what the first did not, and finds the rest there.
func (d Dialect) partly(t *testing.T) {
	x, sender := d.start(t)
	x.refuse = func(id string) (no Outcome) {
		if strings.HasSuffix(id, "-18") {
			no = Outcome{Status: http.StatusTooManyRequests, Type: "es_rejected_execution_exception", Reason: "rejected execution of primary operation"}
		}
		return no
	}
	_, err := sender.Send(t.Context(), notifytest.Opened())
	f := notifytest.Failure(t, err)
	if want := "200 OK, but 1 of 2 documents failed, the first with 429 es_rejected_execution_exception: rejected execution of primary operation"; f.Said != want || f.Rejected {
		t.Errorf("said %q, rejected %t; want %q", f.Said, f.Rejected, want)
	}
	x.refuse = nil
	if _, err := sender.Send(t.Context(), notifytest.Opened()); err != nil || len(x.documents) != 2 {
		t.Errorf("%d documents, %v", len(x.documents), err)
	}
}

func (d Dialect) items(t *testing.T) {
	for _, c := range []struct {
		Outcome
		rejected bool
	}{
		{Outcome{Status: 400, Type: "mapper_parsing_exception", Reason: "failed to parse field [fixed] of type [date]"}, true},
		{Outcome{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "mapping set to strict, dynamic introduction of [kev] within [_doc] is not allowed"}, true},
		{Outcome{Status: 400, Type: "index_closed_exception", Reason: "closed"}, false},
		{Outcome{Status: 403, Type: "cluster_block_exception", Reason: "index [x] blocked by: [FORBIDDEN/8/index write (api)];"}, false},
		{Outcome{Status: 404, Type: "index_not_found_exception", Reason: "no such index [x]"}, false},
		{Outcome{Status: 503, Type: "unavailable_shards_exception", Reason: strings.Repeat("primary shard is not active ", 100)}, false},
	} {
		x, sender := d.start(t)
		x.refuse = func(string) Outcome { return c.Outcome }
		_, err := sender.Send(t.Context(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		if want := fmt.Sprintf("200 OK, but 2 of 2 documents failed, the first with %d %s: %.20s", c.Status, c.Type, c.Reason); !strings.HasPrefix(f.Said, want) || f.Rejected != c.rejected || len(f.Said) > 700 {
			t.Errorf("said %q, rejected %t; want %q, %t", f.Said, f.Rejected, want, c.rejected)
		}
	}
}
