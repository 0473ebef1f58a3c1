package notify

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// headlines are what events that are about no finding are called; %s is what they are
// about.
var headlines = map[string]string{
	"scan.completed": "Scan of %s complete", "scan.failed": "Scan of %s failed", "scan.cancelled": "Scan of %s cancelled",
	"feed.stale": "The feed is stale", "feed.fresh": "The feed is fresh again", "feed.updated": "The feed was updated",
	"feed.update_failed": "The feed could not be updated", "feed.intelligence_updated": "What is known of vulnerabilities was updated",
	"node.registered": "New node %s", "node.reregistered": "%s registered again", "node.inactive": "The agent on %s is gone", "node.active": "The agent on %s is back",
	"node.retired": "%s was retired", "node.revived": "%s is back from retirement", "node.started": "%s started", "node.stopped": "%s ended",
	"node.labelled": "The labels of %s changed", "node.rematched": "What is known of %s changed", "node.credential_shared": "Two machines use the credential of %s",
	"rematch.completed": "The fleet was matched again", "rematch.failed": "The fleet could not be matched again", "rematch.overtaken": "A newer feed came while the fleet was matched",
	"decision.created": "Decision about %s", "decision.revoked": "Decision about %s revoked", "decision.expiring": "The decision about %s expires soon", "decision.expired": "The decision about %s expired",
	"schedule.fired": "Schedule fired", "schedule.run_finished": "A run ended", "schedule.missed": "A schedule missed fire times", "schedule.dropped": "A schedule dropped a fire time",
	"settings.changed": "The settings changed", integrationFailing: "Integration %s cannot deliver", integrationHealthy: "Integration %s delivers again",
	integrationRemoved: "Integration %s is not used any more", "node.decided": "Decisions about %s changed",
}

func (a *asker) sayEvent(n *Notification, m matter) {
	about := m.node.Name
	for _, member := range []string{"vulnerability", "name"} {
		if about == "" {
			about = text(m.data, member)
		}
	}
	if about == "" {
		about = m.subject
	}
	n.Title = headlines[m.kind]
	if strings.Contains(n.Title, "%s") {
		n.Title = fmt.Sprintf(n.Title, about)
	}
	if n.Title == "" {
		n.Title = m.kind + " " + about
	}
	if m.node.ID != "" {
		n.Facts = append(n.Facts, Fact{"Node", m.node.Name})
	}
	n.Facts = append(n.Facts, plainFacts(m.data)...)
	n.Text = text(m.data, "error")
	n.URL = a.look.service.eventURL(m)
}

// plainFacts are the members of an event's data that are a text or a number, by name.
func plainFacts(data json.RawMessage) []Fact {
	members := map[string]any{}
	_ = json.Unmarshal(data, &members) // what is no object has none
	var facts []Fact
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == "error" || name == "name" || name == "node" || len(facts) == 10 {
			continue
		}
		switch value := members[name].(type) {
		case string:
			if value != "" {
				facts = append(facts, Fact{label(name), shorten(value, 200)})
			}
		case float64:
			facts = append(facts, Fact{label(name), fmt.Sprint(value)})
		case bool:
			facts = append(facts, Fact{label(name), fmt.Sprint(value)})
		}
	}
	return facts
}

// label is the name of a member, as people read it.
func label(member string) string {
	words := strings.ReplaceAll(member, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// findingsURL leads to what findings are about.
func (s *Service) findingsURL(by string, m matter) string {
	switch {
	case s.publicURL == "":
		return ""
	case by == ByScan && m.kind == OccurrenceOpened:
		return s.publicURL + "/scans/" + m.subject
	case m.kind == OccurrenceOverdue:
		return s.publicURL + "/overdue"
	}
	return s.publicURL + "/nodes/" + m.noted[0].NodeID
}

// eventURL leads to what an event is about; to the console where it has no page.
func (s *Service) eventURL(m matter) string {
	switch {
	case s.publicURL == "":
		return ""
	case strings.HasPrefix(m.kind, "scan."):
		return s.publicURL + "/scans/" + m.subject
	case strings.HasPrefix(m.kind, "node."):
		return s.publicURL + "/nodes/" + m.subject
	case m.kind == integrationFailing, m.kind == integrationHealthy:
		return s.publicURL + "/integrations/" + m.subject
	case m.kind == "schedule.missed", m.kind == "schedule.dropped":
		return s.publicURL + "/schedules/" + m.subject
	}
	return s.publicURL + "/"
}
