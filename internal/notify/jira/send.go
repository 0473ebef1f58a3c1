package jira

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"patrol/internal/notify"
)

// Send implements notify.Sender. The key of the issue is returned.
func (s *sender) Send(ctx context.Context, n notify.Notification) (string, error) {
	issues, err := s.find(ctx, n)
	switch {
	case err != nil:
		return "", err
	case n.Action == notify.Resolved:
		return s.resolve(ctx, issues, n)
	case len(issues) == 0:
		return s.create(ctx, n)
	}
	return issues[0].Key, s.update(ctx, issues[0], n)
}

// find returns the issues of a notification's key, that which is known of first. There
// are several only where a search did not yet know of one (see create). What begins a
// matter has nothing to do with issues that were closed before.
func (s *sender) find(ctx context.Context, n notify.Notification) ([]issue, error) {
	keys, err := s.search(ctx, label(n.Key))
	if err != nil {
		return nil, err
	}
	begins := n.Action == notify.Opened || n.Action == notify.Told
	if n.Ref != "" && !begins {
		keys = append([]string{n.Ref}, keys...)
	}
	var found []issue
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] {
			continue
		}
		is, err := s.issue(ctx, key) // a search may be late, this is not
		if err != nil {
			return nil, err
		}
		if is != nil && !seen[is.Key] && (!begins || !is.done()) {
			found = append(found, *is)
			seen[is.Key] = true
		}
		seen[key] = true
	}
	return found, nil
}

// settle is how long to wait where it is not known whether an issue was created: Cloud
// finds it by its label after "a few seconds to minutes" (Search and reconcile).
const settle = 2 * time.Minute

func (s *sender) create(ctx context.Context, n notify.Notification) (string, error) {
	var made struct {
		Key string `json:"key"`
	}
	err := s.call(ctx, http.MethodPost, s.path("issue"), map[string]any{"fields": s.issueFields(n)}, &made)
	var f *notify.Failure
	switch known := errors.As(err, &f); {
	case err == nil && made.Key == "":
		return "", &notify.Failure{Said: "that it created an issue, and not which", After: settle}
	case known && strings.HasPrefix(f.Said, "5"):
		f.After = max(f.After, settle)
	case err != nil && !known && !errors.Is(err, context.Canceled):
		return "", &notify.Failure{Said: fmt.Sprintf("nothing when it was asked to create an issue, which is looked for before it is asked again: %v", err), After: settle}
	}
	return made.Key, err
}

// issueFields are those of the issue that a notification creates.
func (s *sender) issueFields(n notify.Notification) map[string]any {
	fields := s.fill(n)
	fields["project"] = map[string]string{"key": s.project}
	fields["issuetype"] = map[string]string{"name": s.issueType}
	fields["summary"] = s.summary(n)
	fields["description"] = s.text(n, false)
	if name := s.priorities[n.Severity]; name != "" {
		fields["priority"] = map[string]string{"name": name}
	}
	return fields
}

// update says on an issue what has changed, if it was not said before. The summary of a
// closed issue is left as it is.
func (s *sender) update(ctx context.Context, is issue, n notify.Notification) error {
	if err := s.comment(ctx, is, n); err != nil {
		return err
	}
	summary := s.summary(n)
	if is.done() || is.Fields.Summary == summary {
		return nil
	}
	return s.call(ctx, http.MethodPut, s.path("issue", is.Key), map[string]any{"fields": map[string]string{"summary": summary}}, nil)
}

// resolve closes the issues that people did not close themselves.
func (s *sender) resolve(ctx context.Context, issues []issue, n notify.Notification) (string, error) {
	for _, is := range issues {
		if is.done() {
			continue
		}
		// First what is said: there are workflows in which a closed issue takes no comment.
		if err := s.comment(ctx, is, n); err != nil {
			return "", err
		}
		if strings.EqualFold(s.transition, stay) {
			continue
		}
		if err := s.closeIssue(ctx, is); err != nil {
			return "", err
		}
	}
	if len(issues) == 0 {
		return n.Ref, nil // it was deleted, or there never was one
	}
	return issues[0].Key, nil
}

// closeIssue takes the transition of the settings.
func (s *sender) closeIssue(ctx context.Context, is issue) error {
	path := s.path("issue", is.Key, "transitions")
	var offered struct {
		Transitions []transition `json:"transitions"`
	}
	if err := s.call(ctx, http.MethodGet, path, nil, &offered); err != nil {
		return err
	}
	take := choose(offered.Transitions, s.transition)
	if take == nil {
		var names []string
		for _, t := range offered.Transitions {
			names = append(names, fmt.Sprintf("%s (to %s)", t.Name, t.To.Name))
		}
		return &notify.Failure{Said: fmt.Sprintf("that %s, whose status is %s, has no transition %s; resolve_transition may name one of: %s",
			is.Key, is.Fields.Status.Name, s.transition, strings.Join(names, ", "))}
	}
	body := map[string]any{"transition": map[string]string{"id": take.ID}}
	if s.resolution != "" {
		body["fields"] = map[string]any{"resolution": map[string]string{"name": s.resolution}}
	}
	return s.call(ctx, http.MethodPost, path, body, nil)
}

// choose finds a transition by its name, then by that of the status it leads to; for
// Done, at last, by that status's category.
func choose(offered []transition, name string) *transition {
	for _, fits := range []func(transition) bool{
		func(t transition) bool { return strings.EqualFold(t.Name, name) },
		func(t transition) bool { return strings.EqualFold(t.To.Name, name) },
		func(t transition) bool { return strings.EqualFold(name, "Done") && t.To.done() },
	} {
		for i := range offered {
			if fits(offered[i]) {
				return &offered[i]
			}
		}
	}
	return nil
}
