package jira

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// priorities reads "critical=Highest, high=High".
func priorities(text string) (map[string]string, error) {
	severities := []string{"malicious", "critical", "high", "medium", "low", "unknown", "info"}
	names := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		severity, name, ok := strings.Cut(pair, "=")
		severity, name = strings.TrimSpace(severity), strings.TrimSpace(name)
		switch {
		case !ok || name == "":
			return nil, notify.Invalid("priorities", "has %q, which is no severity=priority such as critical=Highest", strings.TrimSpace(pair))
		case !slices.Contains(severities, severity):
			return nil, notify.Invalid("priorities", "has %q, which is none of the severities %s", severity, strings.Join(severities, ", "))
		case names[severity] != "":
			return nil, notify.Invalid("priorities", "has %s twice", severity)
		}
		names[severity] = name
	}
	return names, nil
}

// moreFields reads the fields that an issue is created with beside Patrol's own.
func moreFields(text string) (map[string]any, error) {
	fields := map[string]any{}
	if text == "" {
		return fields, nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, notify.Invalid("fields", "is no JSON object: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || fields == nil {
		return nil, notify.Invalid("fields", "is not one JSON object")
	}
	for _, own := range []string{"project", "issuetype", "summary", "description"} {
		if _, ok := fields[own]; ok {
			return nil, notify.Invalid("fields", "has %s, which Patrol sets itself", own)
		}
	}
	if labels, ok := fields["labels"]; ok && !areTexts(labels) {
		return nil, notify.Invalid("fields", `has labels that are no list of texts, such as ["security"]`)
	}
	return fields, nil
}

func areTexts(v any) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(item any) bool { _, text := item.(string); return !text })
}

// fill returns a copy of the settings' fields with what the notification says of them. A single
// line of text holds at most 255 characters in Jira, and so does a label, without
// spaces.
func (s *sender) fill(n notify.Notification) map[string]any {
	worst := notify.Finding{}
	if len(n.Findings) > 0 {
		worst = n.Findings[0]
	}
	of := func(text string) string { return s.plain(text, lineLimit, ' ') }
	values := strings.NewReplacer(
		"{severity}", of(n.Severity), "{vulnerability}", of(worst.Vulnerability), "{package}", of(worst.Package),
		"{nodes}", strconv.Itoa(n.Nodes), "{title}", of(n.Title), "{rule}", of(n.Rule),
	)
	filled, _ := filledIn(s.fields, values).(map[string]any)
	given, _ := filled["labels"].([]any)
	labels := []string{"patrol", label(n.Key)}
	for _, l := range given {
		if text, _ := l.(string); strings.TrimSpace(text) != "" {
			labels = append(labels, strings.Join(strings.Fields(text), "-"))
		}
	}
	filled["labels"] = labels
	return filled
}

func filledIn(v any, values *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		if text := values.Replace(v); text != v {
			return chat.Cut(text, lineLimit, '\n')
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = filledIn(v[i], values)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name := range v {
			object[name] = filledIn(v[name], values)
		}
		return object
	}
	return v
}
