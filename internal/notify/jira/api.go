package jira

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

type issue struct {
	Key    string `json:"key"`
	Fields struct {
		Summary     string          `json:"summary"`
		Description json.RawMessage `json:"description"` // a document in Cloud, else a string
		Status      status          `json:"status"`
	} `json:"fields"`
}

func (i issue) done() bool { return i.Fields.Status.done() }

type status struct {
	Name     string `json:"name"`
	Category struct {
		Key string `json:"key"` // new, indeterminate, done
	} `json:"statusCategory"`
}

func (s status) done() bool { return s.Category.Key == "done" }

type transition struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	To   status `json:"to"`
}

// path is the URL of a resource.
func (s *sender) path(names ...string) *url.URL {
	u := *s.api
	for _, name := range names {
		u = *u.JoinPath(url.PathEscape(name))
	}
	return &u
}

// call sends a request and reads the answer, if it is wanted.
func (s *sender) call(ctx context.Context, method string, u *url.URL, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := encode(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	answer, err := s.do(ctx, method, u, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &notify.Failure{Said: fmt.Sprintf("something that is not Jira's JSON to %s %s: %.200q", method, u.EscapedPath(), answer)}
	}
	return nil
}

func (s *sender) do(ctx context.Context, method string, u *url.URL, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", s.authorization)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := notify.Do(s.client, r, time.Now())
	return answer, inWords(err, answer)
}

func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return bytes.TrimSpace(text.Bytes()), err
}

// search returns the keys of the open issues with a label, the oldest first.
func (s *sender) search(ctx context.Context, label string) ([]string, error) {
	path := s.path("search")
	if s.cloud {
		path = s.path("search", "jql") // Cloud has removed the other (changelog, CHANGE-2046)
	}
	var found struct {
		Issues []struct {
			Key string `json:"key"`
		} `json:"issues"`
	}
	jql := fmt.Sprintf(`project = "%s" AND labels = "%s" AND statusCategory != Done ORDER BY created ASC`, s.project, label)
	err := s.call(ctx, http.MethodPost, path, map[string]any{"jql": jql, "fields": []string{"summary"}, "maxResults": 10}, &found)
	var keys []string
	for _, is := range found.Issues {
		keys = append(keys, is.Key)
	}
	return keys, err
}

// issue returns an issue as it is now; nil if it is gone. One that was moved to another
// project answers to its old key, with the new one.
func (s *sender) issue(ctx context.Context, key string) (*issue, error) {
	u := s.path("issue", key)
	u.RawQuery = "fields=summary,status,description"
	var is issue
	err := s.call(ctx, http.MethodGet, u, nil, &is)
	var f *notify.Failure
	if errors.As(err, &f) && strings.HasPrefix(f.Said, "404") {
		return nil, nil
	}
	return &is, err
}

// comment says on an issue what a notification says, once: its id stands in the
// description if it created the issue, and else in the comment.
func (s *sender) comment(ctx context.Context, is issue, n notify.Notification) error {
	if bytes.Contains(is.Fields.Description, []byte(n.ID)) {
		return nil
	}
	u := s.path("issue", is.Key, "comment")
	u.RawQuery = "orderBy=-created&maxResults=20"
	last, err := s.do(ctx, http.MethodGet, u, nil)
	if err != nil || bytes.Contains(last, []byte(n.ID)) {
		return err
	}
	return s.call(ctx, http.MethodPost, s.path("issue", is.Key, "comment"), map[string]any{"body": s.text(n, true)}, nil)
}

// refusal is an answer that means no: an error collection, or what the gateway before
// Cloud says.
type refusal struct {
	ErrorMessages []string          `json:"errorMessages"`
	Errors        map[string]string `json:"errors"` // by field
	Message       string            `json:"message"`
}

// inWords says what was refused as people read it. Almost all of it is a matter of
// settings, permissions, or what the project asks for, and can be mended; only a text
// that is too long stays so.
func inWords(err error, answer []byte) error {
	var f *notify.Failure
	if !errors.As(err, &f) {
		return err
	}
	var no refusal
	if json.Unmarshal(answer, &no) == nil {
		reasons := no.ErrorMessages
		for _, field := range slices.Sorted(maps.Keys(no.Errors)) {
			reasons = append(reasons, field+": "+no.Errors[field])
		}
		if len(reasons) == 0 && no.Message != "" {
			reasons = []string{no.Message}
		}
		if len(reasons) > 0 {
			status, _, _ := strings.Cut(f.Said, ": ")
			f.Said = chat.Cut(status+": "+strings.Join(reasons, "; "), 1000, ' ')
		}
	}
	tooLong := strings.HasPrefix(f.Said, "400") && strings.Contains(f.Said, "too long")
	f.Rejected = strings.HasPrefix(f.Said, "413") || tooLong || strings.Contains(f.Said, "CONTENT_LIMIT_EXCEEDED")
	return f
}
