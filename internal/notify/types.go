package notify

import "slices"

// EventType is a type of event that rules may be about.
type EventType struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
	// Findings tells that it is about findings: grouped, and asked about one by one.
	Findings bool `json:"findings"`
}

// The types about findings. They are no entries of the log, since one re-match may
// open hundreds of thousands: they are read out of what scans, re-matches and
// decisions came to.
const (
	OccurrenceOpened     = "occurrence.opened"
	OccurrenceReassessed = "occurrence.reassessed"
	OccurrenceOverdue    = "occurrence.overdue"
)

// types are all that rules may name.
var types = []EventType{
	{OccurrenceOpened, "A finding came to a node: a new package, or newly disclosed in one that was there. Resolved ones close what they opened.", true},
	{OccurrenceReassessed, "What is open became listed as exploited (KEV), or more severe.", true},
	{OccurrenceOverdue, "What is open passed its due date.", true},
	{"scan.completed", "A scan ended well.", false},
	{"scan.failed", "A scan failed.", false},
	{"scan.cancelled", "A scan was cancelled.", false},
	{"rematch.completed", "The fleet was matched against another feed.", false},
	{"rematch.failed", "Matching the fleet failed; it is tried again.", false},
	{"rematch.overtaken", "A newer feed came while the fleet was matched.", false},
	{"feed.updated", "The feed has other records.", false},
	{"feed.update_failed", "An update of the feed failed.", false},
	{"feed.intelligence_updated", "What is known beside advisories changed.", false},
	{"feed.stale", "The feed was not updated for too long.", false},
	{"feed.fresh", "A stale feed was updated.", false},
	{"node.registered", "A machine was seen for the first time.", false},
	{"node.reregistered", "A machine's agent registered again.", false},
	{"node.inactive", "An agent was not heard of for three heartbeats.", false},
	{"node.active", "An agent that was gone is back.", false},
	{"node.started", "A container started, or an image came.", false},
	{"node.stopped", "A container ended, or an image was removed.", false},
	{"node.labelled", "A node's labels changed.", false},
	{"node.retired", "A node is gone for good.", false},
	{"node.revived", "A retired node is back.", false},
	{"node.decided", "Decisions mean a node that they did not mean, or no longer do.", false},
	{"node.credential_shared", "Two machines use one agent's credential.", false},
	{"node.rematched", "A re-match opened or resolved something on a node.", false},
	{"decision.created", "Somebody decided about a vulnerability.", false},
	{"decision.revoked", "A decision was taken back.", false},
	{"decision.expiring", "A decision is about to expire.", false},
	{"decision.expired", "A decision expired: what it was about counts again.", false},
	{"schedule.fired", "A schedule started a run.", false},
	{"schedule.run_finished", "A run ended.", false},
	{"schedule.missed", "Fire times of a schedule passed while nobody was there.", false},
	{"schedule.dropped", "A fire time was dropped because the run before went on.", false},
	{"settings.changed", "An administrator changed the settings.", false},
	{integrationFailing, "An integration cannot deliver.", false},
	{integrationHealthy, "An integration that could not deliver does again.", false},
	{integrationRemoved, "An integration that could not deliver was deleted or disabled.", false},
}

func typeNames() []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}

// ends are the types that end what another opened, about the same subject.
var ends = map[string][]string{
	"feed.fresh":        {"feed.stale"},
	"node.active":       {"node.inactive"},
	"node.retired":      {"node.inactive", "scan.failed"},
	"scan.completed":    {"scan.failed"}, // of the same node
	"rematch.completed": {"rematch.failed"},
	integrationHealthy:  {integrationFailing},
	integrationRemoved:  {integrationFailing},
}

// opens tells whether some type ends what this one opens.
func opens(kind string) bool {
	for _, opened := range ends {
		if slices.Contains(opened, kind) {
			return true
		}
	}
	return false
}

// severities are what events amount to that are about no finding; info is what is not
// among them.
var severities = map[string]string{
	"scan.failed": "medium", "rematch.failed": "high", "feed.stale": "high", "feed.update_failed": "medium", "node.inactive": "medium",
	"schedule.missed": "medium", "decision.expired": "medium", "decision.expiring": "low", "schedule.dropped": "low", integrationFailing: "high",
}
