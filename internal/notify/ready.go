package notify

// ReadyMade are rules to begin with; they lack only integrations.
func ReadyMade() []RuleDefinition {
	rules := []RuleDefinition{
		{
			Name: "New critical or exploited finding", Types: []string{OccurrenceOpened, OccurrenceReassessed}, GroupBy: ByVulnerability, Resolved: true,
			When: `findings.exists(f, f.severity in ["malicious", "critical"] || f.kev)`,
		},
		{Name: "Overdue", Types: []string{OccurrenceOverdue}, GroupBy: ByVulnerability},
		{Name: "Scan failed", Types: []string{"scan.failed", "rematch.failed"}},
		{Name: "Feed stale", Types: []string{"feed.stale"}, Resolved: true},
		{Name: "Agent gone", Types: []string{"node.inactive"}, Resolved: true},
		{Name: "Decision about to expire", Types: []string{"decision.expiring"}},
		{Name: "Integration failing", Types: []string{integrationFailing}, Resolved: true},
		{Name: "Everything new, each morning", Types: []string{OccurrenceOpened}, Digest: "0 8 * * *"},
		{Name: "Everything, for stores of data", Types: []string{OccurrenceOpened, OccurrenceReassessed}, GroupBy: ByScan, Resolved: true, Limit: 1_000_000},
		{Name: "Heartbeat", Types: []string{}, Digest: "@daily", EvenIfEmpty: true},
	}
	for i := range rules {
		rules[i].Enabled = true
		rules[i] = rules[i].complete()
	}
	return rules
}
