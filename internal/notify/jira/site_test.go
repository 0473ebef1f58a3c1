package jira_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"patrol/internal/notify"
	"patrol/internal/notify/jira"
	"patrol/internal/notify/notifytest"
)

// Atlassian publishes no Go types. The far side here decodes strictly what the REST
// references say of each request ("Create issue", "Edit issue", "Add comment",
// "Transition issue", "Search for issues using JQL"), and answers as they do.

type site struct {
	t           *testing.T
	cloud       bool
	mu          sync.Mutex
	issues      []*issue
	requests    []string // method and path
	transitions []transition
	late        bool // the search knows of no issue that is created
	needs       string
	before      func(w http.ResponseWriter, r *http.Request) bool // answers in the place of Jira
	after       func(w http.ResponseWriter, r *http.Request) bool // loses the answer
}

type issue struct {
	Key         string
	Summary     string
	Type        string
	Priority    string
	Labels      []string
	Custom      string
	Components  []string
	Description any
	Environment any
	Comments    []any
	Status      status
	Resolution  string
	unindexed   bool
	formerly    string // its key before it was moved
}

type status struct {
	Name     string            `json:"name"`
	Category map[string]string `json:"statusCategory"`
}

type transition struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	To   status `json:"to"`
}

func statusOf(name, category string) status { return status{name, map[string]string{"key": category}} }

type named struct {
	Name string `json:"name"`
}

type fields struct {
	Project *struct {
		Key string `json:"key"`
	} `json:"project"`
	IssueType   *named          `json:"issuetype"`
	Summary     string          `json:"summary"`
	Description json.RawMessage `json:"description"`
	Labels      []string        `json:"labels"`
	Priority    *named          `json:"priority"`
	Components  []named         `json:"components"`
	Custom      string          `json:"customfield_10011"`
	Environment json.RawMessage `json:"environment"`
}

// project returns a Jira with the project SEC, and a sender to it.
func project(t *testing.T, deployment string, more notify.Settings) (*site, notify.Sender) {
	t.Helper()
	s := &site{t: t, cloud: deployment == "cloud", transitions: []transition{
		{"11", "Start progress", statusOf("In Progress", "indeterminate")}, {"31", "Finish", statusOf("Closed", "done")},
	}}
	settings := notify.Settings{"deployment": deployment, "token": "a-secret-token", "project": "SEC"}
	if s.cloud {
		settings["user"] = "patrol@example.com"
	}
	version := map[bool]string{true: "3", false: "2"}[s.cloud]
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request){
		"POST /issue":                   s.create,
		"GET /issue/{key}":              s.get,
		"PUT /issue/{key}":              s.edit,
		"GET /issue/{key}/comment":      s.comments,
		"POST /issue/{key}/comment":     s.comment,
		"GET /issue/{key}/transitions":  s.offer,
		"POST /issue/{key}/transitions": s.transit,
		map[bool]string{true: "POST /search/jql", false: "POST /search"}[s.cloud]: s.search,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /rest/api/"+version+path, handle)
	}
	server := httptest.NewTLSServer(s.gate(mux))
	t.Cleanup(server.Close)
	settings["url"], settings["ca"] = server.URL, notifytest.CA(server)
	for name, value := range more {
		settings[name] = value
	}
	return s, notifytest.Open(t, jira.Kind(), settings)
}

// gate lets those in who may, one at a time.
func (s *site) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if want := map[bool]string{true: "Basic cGF0cm9sQGV4YW1wbGUuY29tOmEtc2VjcmV0LXRva2Vu", false: "Bearer a-secret-token"}[s.cloud]; r.Header.Get("Authorization") != want {
			s.t.Errorf("%s %s as %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		if s.before != nil && s.before(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/rest/api/"))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusNotFound && answer.Header().Get("Content-Type") != "application/json" {
			s.t.Errorf("%s %s is no address of Jira's", r.Method, r.URL)
		}
		if s.after != nil && s.after(w, r) {
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (s *site) decode(r *http.Request, v any) {
	strict := json.NewDecoder(r.Body)
	strict.DisallowUnknownFields()
	if err := strict.Decode(v); err != nil || r.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s %s: a request that is not as documented: %v", r.Method, r.URL, err)
	}
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if v != nil {
		_ = json.NewEncoder(w).Encode(v)
	}
}

func refuse(w http.ResponseWriter, code int, field, text string) {
	no := map[string]any{"errorMessages": []string{}, "errors": map[string]string{}}
	if field == "" {
		no["errorMessages"] = []string{text}
	} else {
		no["errors"] = map[string]string{field: text}
	}
	answer(w, code, no)
}

func units(text string) int { return len(utf16.Encode([]rune(text))) }

const tooLong = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."

// text takes a description or a comment.
func (s *site) text(raw json.RawMessage) (text any, ok bool) {
	if !s.cloud {
		var plain string
		if err := json.Unmarshal(raw, &plain); err != nil {
			s.t.Errorf("a text that is no string: %v", err)
		}
		return plain, units(plain) <= 32767
	}
	var doc node
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&doc); err != nil || doc.Type != "doc" || doc.Version != 1 {
		s.t.Errorf("no document: %v %.100s", err, raw)
	}
	doc.check(s.t)
	return doc, units(string(raw)) <= 32767
}

func (s *site) summary(w http.ResponseWriter, text string) bool {
	switch {
	case strings.TrimSpace(text) == "":
		refuse(w, 400, "summary", "You must specify a summary of the issue.")
	case strings.ContainsAny(text, "\n\r"):
		refuse(w, 400, "summary", "The summary is invalid because it contains newline characters.")
	case units(text) > 255:
		refuse(w, 400, "summary", "Summary can't exceed 255 characters.")
	default:
		return true
	}
	return false
}

func (s *site) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Fields fields `json:"fields"`
	}
	s.decode(r, &in)
	f := in.Fields
	if f.Project == nil || f.Project.Key != "SEC" || f.IssueType == nil {
		refuse(w, 400, "project", "valid project is required")
		return
	}
	for _, label := range f.Labels {
		if strings.ContainsAny(label, " \t\n") || units(label) > 255 {
			refuse(w, 400, "labels", fmt.Sprintf("The label '%s' contains spaces which is invalid.", label))
			return
		}
	}
	description, fits := s.text(f.Description)
	switch {
	case !s.summary(w, f.Summary):
		return
	case !fits:
		refuse(w, 400, "description", tooLong)
		return
	case units(f.Custom) > 255:
		refuse(w, 400, "customfield_10011", "The entered text is too long. It exceeds the allowed limit of 255 characters.")
		return
	}
	is := &issue{
		Key: fmt.Sprintf("SEC-%d", len(s.issues)+1), Summary: f.Summary, Type: f.IssueType.Name, Labels: f.Labels, Custom: f.Custom,
		Description: description, Status: statusOf("To Do", "new"), unindexed: s.late,
	}
	if f.Environment != nil {
		if s.cloud && f.Environment[0] != '{' {
			refuse(w, 400, "environment", "Operation value must be an Atlassian Document (see the Atlassian Document Format)")
			return
		}
		is.Environment, _ = s.text(f.Environment)
	}
	if f.Priority != nil {
		is.Priority = f.Priority.Name
	}
	for _, c := range f.Components {
		is.Components = append(is.Components, c.Name)
	}
	s.issues = append(s.issues, is)
	answer(w, 201, map[string]string{"id": "1000" + is.Key, "key": is.Key, "self": "https://example.atlassian.net/rest/api/3/issue/" + is.Key})
}

// find answers 404 where there is no such issue.
func (s *site) find(w http.ResponseWriter, r *http.Request) *issue {
	for _, is := range s.issues {
		if key := r.PathValue("key"); key == is.Key || key == is.formerly {
			return is
		}
	}
	refuse(w, 404, "", "Issue does not exist or you do not have permission to see it.")
	return nil
}

func (s *site) get(w http.ResponseWriter, r *http.Request) {
	if is := s.find(w, r); is != nil {
		answer(w, 200, map[string]any{"id": "1", "key": is.Key, "fields": map[string]any{"summary": is.Summary, "status": is.Status, "description": is.Description}})
	}
}

func (s *site) edit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Fields struct {
			Summary string `json:"summary"`
		} `json:"fields"`
	}
	s.decode(r, &in)
	if is := s.find(w, r); is != nil && s.summary(w, in.Fields.Summary) {
		is.Summary = in.Fields.Summary
		answer(w, 204, nil)
	}
}

func (s *site) comments(w http.ResponseWriter, r *http.Request) {
	is := s.find(w, r)
	if is == nil {
		return
	}
	if r.URL.Query().Get("orderBy") != "-created" {
		s.t.Errorf("comments are asked for as %s", r.URL.RawQuery)
	}
	list := []map[string]any{}
	for _, body := range slices.Backward(is.Comments) {
		list = append(list, map[string]any{"id": "1", "body": body})
	}
	answer(w, 200, map[string]any{"startAt": 0, "maxResults": 20, "total": len(list), "comments": list[:min(20, len(list))]})
}

func (s *site) comment(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Body json.RawMessage `json:"body"`
	}
	s.decode(r, &in)
	is := s.find(w, r)
	if is == nil {
		return
	}
	body, fits := s.text(in.Body)
	if !fits {
		refuse(w, 400, "comment", tooLong)
		return
	}
	is.Comments = append(is.Comments, body)
	answer(w, 201, map[string]any{"id": "1", "body": body})
}

func (s *site) offer(w http.ResponseWriter, r *http.Request) {
	if s.find(w, r) != nil {
		answer(w, 200, map[string]any{"expand": "transitions", "transitions": s.transitions})
	}
}

func (s *site) transit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Transition struct {
			ID string `json:"id"`
		} `json:"transition"`
		Fields struct {
			Resolution *named `json:"resolution"`
		} `json:"fields"`
	}
	s.decode(r, &in)
	is := s.find(w, r)
	if is == nil {
		return
	}
	at := slices.IndexFunc(s.transitions, func(t transition) bool { return t.ID == in.Transition.ID })
	switch {
	case at < 0:
		refuse(w, 400, "", "It seems that you have tried to perform a workflow operation that is not valid for the current state of this issue.")
		return
	case s.needs != "" && in.Fields.Resolution == nil:
		refuse(w, 400, "resolution", s.needs)
		return
	case in.Fields.Resolution != nil:
		is.Resolution = in.Fields.Resolution.Name
	}
	is.Status = s.transitions[at].To
	answer(w, 204, nil)
}

var jql = regexp.MustCompile(`^project = "([A-Z0-9_]+)" AND labels = "(patrol-[0-9a-f]{16})" AND statusCategory != Done ORDER BY created ASC$`)

func (s *site) search(w http.ResponseWriter, r *http.Request) {
	var in struct {
		JQL        string   `json:"jql"`
		Fields     []string `json:"fields"`
		MaxResults int      `json:"maxResults"`
	}
	s.decode(r, &in)
	asked := jql.FindStringSubmatch(in.JQL)
	switch {
	case asked == nil:
		s.t.Errorf("jql %s", in.JQL)
		return
	case asked[1] != "SEC":
		refuse(w, 400, "", fmt.Sprintf("The value '%s' does not exist for the field 'project'.", asked[1]))
		return
	}
	found := []map[string]any{}
	for _, is := range s.issues {
		if slices.Contains(is.Labels, asked[2]) && is.Status.Category["key"] != "done" && !is.unindexed {
			found = append(found, map[string]any{"id": "1", "key": is.Key, "fields": map[string]any{"summary": is.Summary}})
		}
	}
	all := map[string]any{"issues": found, "isLast": true}
	if !s.cloud {
		all = map[string]any{"startAt": 0, "maxResults": in.MaxResults, "total": len(found), "issues": found}
	}
	answer(w, 200, all)
}

// said is a text as people see it.
func said(text any) string {
	if doc, ok := text.(node); ok {
		return strings.TrimSpace(doc.String())
	}
	return text.(string)
}

// node is one of the Atlassian Document Format, by its JSON schema
// (go.atlassian.com/adf-json-schema).
type node struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Content []node         `json:"content,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   []node         `json:"marks,omitempty"`
}

func (n node) check(t *testing.T) {
	allowed := map[string]string{
		"doc": "paragraph bulletList", "paragraph": "text hardBreak", "bulletList": "listItem", "listItem": "paragraph", "text": "", "hardBreak": "",
	}
	holds, known := allowed[n.Type]
	if !known || (n.Type == "text") != (n.Text != "") || strings.Contains(n.Text, "\n") {
		t.Errorf("node %+v", n)
	}
	for _, child := range n.Content {
		if !slices.Contains(strings.Fields(holds), child.Type) {
			t.Errorf("%s in %s", child.Type, n.Type)
		}
		child.check(t)
	}
	for _, mark := range n.Marks {
		if href, _ := mark.Attrs["href"].(string); mark.Type != "link" || href == "" || len(mark.Attrs) != 1 {
			t.Errorf("mark %+v", mark)
		}
	}
}

func (n node) String() string {
	var b strings.Builder
	for _, child := range n.Content {
		b.WriteString(child.String())
	}
	switch n.Type {
	case "text":
		if len(n.Marks) > 0 {
			return n.Text + " → " + n.Marks[0].Attrs["href"].(string)
		}
		return n.Text
	case "hardBreak":
		return "\n"
	case "listItem":
		return "  • " + strings.TrimSpace(b.String()) + "\n"
	case "paragraph", "bulletList":
		return b.String() + "\n\n"[:map[string]int{"paragraph": 2, "bulletList": 1}[n.Type]]
	}
	return b.String()
}

func (is *issue) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %s, %s)\n%s\nLabels: %s\n\n%s\n", is.Key, is.Type, is.Priority, is.Status.Name, is.Summary, strings.Join(is.Labels, " "), said(is.Description))
	for _, c := range is.Comments {
		fmt.Fprintf(&b, "\nComment:\n%s\n", said(c))
	}
	return b.String()
}

// says answers requests to one address in the place of Jira: "/search", or with the
// method, "PUT /issue/SEC-1".
func says(at string, code int, retry, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		method, path, both := strings.Cut(at, " ")
		if !both {
			method, path = r.Method, at
		}
		if r.Method != method || !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		if retry != "" {
			w.Header().Set("Retry-After", retry)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
		return true
	}
}
