package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/policy"
)

// matter is one thing that a rule has to tell.
type matter struct {
	// key names it within the rule.
	key    string
	action Action
	kind   string // type of event
	cause  string // see happening
	// noted are findings, the worst first; node is what an event without them is about.
	noted []finding.Noted
	node  policy.Node
	// subject, at and data are those of the event.
	subject string
	at      time.Time
	data    json.RawMessage
}

// asker is a rule that is asked about happenings.
type asker struct {
	*checked
	id         string
	definition string           // as the database had it when it was read
	team       *policy.Selector // nil for all nodes
	look       *lookup
	now        time.Time
	// faults are why the condition failed, where it did: what it failed about does not
	// matter to the rule, but that is said.
	faults []error
	raised func(ctx context.Context, keys []string) (map[string]time.Time, error)
}

// pick returns what the rule has to tell of a happening. Whether that was told
// already is for who writes it.
func (a *asker) pick(ctx context.Context, h happening) ([]matter, error) {
	if isFindings(h.kind) {
		return a.pickFindings(ctx, h)
	}
	var picked []matter
	m := matter{kind: h.kind, cause: h.cause, subject: h.Subject, at: h.Time, data: h.Data}
	if err := a.look.know(ctx, nil, h.Audience.Node()); err != nil {
		return nil, err
	}
	m.node = a.look.nodes[h.Audience.Node()]
	for _, opened := range ends[h.kind] {
		if a.reads(opened) {
			end := m
			end.key, end.action = subjectKey(opened, h), Resolved
			picked = append(picked, end)
		}
	}
	if a.reads(h.kind) && a.wants(h, m.node) {
		m.key, m.action = subjectKey(h.kind, h), Told
		if opens(h.kind) {
			m.action = Opened
		}
		picked = append(picked, m)
	}
	return picked, nil
}

func isFindings(kind string) bool {
	return kind == OccurrenceOpened || kind == OccurrenceReassessed || kind == OccurrenceOverdue
}

// subjectKey is that of what happened to a node, to an integration, or to the only one
// of its kind.
func subjectKey(kind string, h happening) string {
	switch {
	case h.Audience.Node() != "":
		return kind + "/" + h.Audience.Node()
	case strings.HasPrefix(kind, "feed.") || strings.HasPrefix(kind, "rematch."):
		return kind
	default:
		return kind + "/" + h.Subject
	}
}

// wants asks the condition; findings are one or none.
func (a *asker) wants(h happening, node policy.Node, findings ...policy.Occurrence) bool {
	if a.team != nil {
		ours, err := a.team.Selects(node, policy.Moment{Now: a.now})
		if err != nil || !ours || node.ID == "" {
			a.fault(err)
			return false
		}
	}
	holds, err := a.condition.Holds(policy.Event{Type: h.kind, Subject: h.Subject, Time: h.Time, Data: h.members}, node, findings...)
	a.fault(err)
	return holds
}

func (a *asker) fault(err error) {
	if err != nil && len(a.faults) < 10 {
		a.faults = append(a.faults, err)
	}
}

// pickFindings groups the findings that matter, and finds out what is over.
func (a *asker) pickFindings(ctx context.Context, h happening) ([]matter, error) {
	var picked []matter
	if a.reads(h.kind) && len(h.came) > 0 {
		came, err := a.filter(ctx, h, h.came, finding.Open)
		if err != nil {
			return nil, err
		}
		groups, err := a.large(ctx, h, a.group(h, came, Opened))
		if err != nil {
			return nil, err
		}
		picked = append(picked, groups...)
	}
	if len(h.went) == 0 || !a.readsFindings() {
		return picked, nil
	}
	if a.GroupBy == ByScan {
		if !a.Resolved {
			return picked, nil
		}
		went, err := a.filter(ctx, h, h.went, "")
		return append(picked, a.group(h, went, Resolved)...), err
	}
	over, err := a.over(ctx, h)
	return append(picked, over...), err
}

// filter returns the findings that matter to the rule. Where the condition does not
// ask about the node it is asked once for all nodes.
func (a *asker) filter(ctx context.Context, h happening, noted []finding.Noted, state string) ([]finding.Noted, error) {
	if err := a.look.know(ctx, noted); err != nil {
		return nil, err
	}
	type place struct {
		vulnerability  int64
		ecosystem, pkg string
		severity       string
		kev, fixable   bool
		because, node  string
		openedAt       int64
	}
	asked := make(map[place]bool)
	always := a.team == nil && strings.TrimSpace(a.When) == ""
	var wanted []finding.Noted
	for _, n := range noted {
		if state != "" && n.State != state {
			continue
		}
		if always {
			wanted = append(wanted, n)
			continue
		}
		p := place{vulnerability: n.VulnerabilityID, ecosystem: n.Ecosystem, pkg: n.Package, severity: string(n.Severity), kev: n.KEV, fixable: n.Fixable, because: n.Because}
		if a.team != nil || a.condition.AsksNode() {
			p.node = n.NodeID
		}
		if a.condition.AsksFindings() {
			p.openedAt = n.OpenedAt.UnixMicro()
		}
		wants, ok := asked[p]
		if !ok {
			wants = a.wants(h, a.look.nodes[n.NodeID], a.look.occurrence(n))
			asked[p] = wants
		}
		if wants {
			wanted = append(wanted, n)
		}
	}
	return wanted, nil
}

// keyOf is what a finding is told under.
func (a *asker) keyOf(h happening, n finding.Noted) string {
	switch a.GroupBy {
	case ByNode:
		return n.NodeID
	case ByScan:
		return h.cause
	case ByOccurrence:
		return fmt.Sprintf("occurrence/%d", n.ID)
	default:
		return n.Vulnerability
	}
}

// group makes a matter of all findings of one key, in the order of the keys' worst.
func (a *asker) group(h happening, noted []finding.Noted, action Action) []matter {
	noted = worstFirst(noted)
	var groups []matter
	at := make(map[string]int)
	for _, n := range noted {
		key := a.keyOf(h, n)
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, matter{key: key, action: action, kind: h.kind, cause: h.cause, subject: h.Subject, at: h.Time, data: h.Data})
		}
		groups[i].noted = append(groups[i].noted, n)
	}
	return groups
}

// worstFirst returns findings in the order of their severity, exploited ones first,
// and else as they are. There may be hundreds of thousands, and a dozen weights.
func worstFirst(noted []finding.Noted) []finding.Noted {
	weight := func(n *finding.Noted) int { return 2*n.Rank + db.Bit(n.KEV) }
	counts := make(map[int]int)
	for i := range noted {
		counts[weight(&noted[i])]++
	}
	next, place := make(map[int]int, len(counts)), 0
	for _, w := range slices.Backward(slices.Sorted(maps.Keys(counts))) {
		next[w] = place
		place += counts[w]
	}
	ordered := make([]finding.Noted, len(noted))
	for i := range noted {
		w := weight(&noted[i])
		ordered[next[w]] = noted[i]
		next[w]++
	}
	return ordered
}

// large leaves out what is not on enough nodes yet. What is now is told with all of
// them, as those that had it before were not told of.
func (a *asker) large(ctx context.Context, h happening, groups []matter) ([]matter, error) {
	if a.MinNodes <= 1 {
		return groups, nil
	}
	keys := make([]string, len(groups))
	for i, m := range groups {
		keys[i] = m.key
	}
	since, err := a.raised(ctx, keys)
	if err != nil {
		return nil, err
	}
	came := make(map[int64]int) // open ones by vulnerability
	for _, n := range h.came {
		came[n.VulnerabilityID] += db.Bit(n.State == finding.Open)
	}
	var on []matter
	for _, m := range groups {
		_, told := since[m.key]
		upTo := a.MinNodes
		if !told {
			upTo = max(enough, a.MinNodes)
		}
		nodes, open := nodesOf(m.noted), m.noted
		// Of what was disclosed just now all came at once, and there is no more to read.
		if v := m.noted[0].VulnerabilityID; came[v] != a.look.open[v] {
			if nodes, open, err = a.left(ctx, h, m.key, upTo, true); err != nil {
				return nil, err
			}
		}
		if nodes < a.MinNodes {
			continue
		}
		if !told {
			m.noted = worstFirst(open)
		}
		on = append(on, m)
	}
	return on, nil
}

// nodesOf counts the nodes that findings are on.
func nodesOf(noted []finding.Noted) int {
	on := make(map[string]bool)
	for _, n := range noted {
		on[n.NodeID] = true
	}
	return len(on)
}

// over returns what was told of findings that count no more, where none of its key is
// left.
func (a *asker) over(ctx context.Context, h happening) ([]matter, error) {
	groups := a.group(h, h.went, Resolved)
	if err := a.look.know(ctx, h.went); err != nil {
		return nil, err
	}
	var keys []string
	for _, m := range groups {
		keys = append(keys, a.names(m)...)
	}
	since, err := a.raised(ctx, keys)
	if err != nil {
		return nil, err
	}
	var over []matter
	for _, m := range groups {
		under := m.under(a.names(m), since)
		if len(under) == 0 {
			continue
		}
		// A condition on the event is about that which opened something, not this one:
		// then whatever is open of the key keeps it.
		nodes, _, err := a.left(ctx, h, m.key, 1, !a.condition.AsksEvent())
		if err != nil {
			return nil, err
		}
		if nodes > 0 {
			continue
		}
		for _, key := range under {
			m.key = key
			over = append(over, m)
		}
	}
	return over, nil
}

// names are the keys under which a matter may have been told: a vulnerability has
// another name before it has a CVE.
func (a *asker) names(m matter) []string {
	names := []string{m.key}
	if a.GroupBy == ByVulnerability {
		names = append(names, a.look.background[m.noted[0].VulnerabilityID].Aliases...)
	}
	return names
}

// under are those of its names under which a matter was told, the first of which is its
// own. Several vulnerabilities may share a name: what was told under it is what was open
// then.
func (m matter) under(names []string, since map[string]time.Time) []string {
	var under []string
	for i, name := range names {
		at, is := since[name]
		if is && (i == 0 || slices.ContainsFunc(m.noted, func(n finding.Noted) bool { return !n.OpenedAt.After(at) })) {
			under = append(under, name)
		}
	}
	return under
}

// page is how many occurrences are read at once to find out whether any is left. Each
// page begins by finding all that there are, so who wants all of them reads large ones.
const page = 500

// left counts the nodes on which something of a key is open that matters to the rule,
// up to a number, and returns what that is.
func (a *asker) left(ctx context.Context, h happening, key string, upTo int, ask bool) (nodes int, wanted []finding.Noted, err error) {
	which := finding.Which{Vulnerability: key}
	switch a.GroupBy {
	case ByNode:
		which = finding.Which{Node: key}
	case ByOccurrence:
		which = finding.Which{}
		if _, err := fmt.Sscanf(key, "occurrence/%d", &which.Occurrence); err != nil {
			return 0, nil, err
		}
	}
	limit := page
	if upTo >= enough {
		limit = enough
	}
	on := make(map[string]bool)
	for after := int64(0); ; {
		open, err := a.look.service.findings.Unresolved(ctx, a.look.q, which, after, limit)
		if err != nil {
			return 0, nil, err
		}
		mattering := open
		if ask {
			if mattering, err = a.filter(ctx, h, open, finding.Open); err != nil {
				return 0, nil, err
			}
		}
		for _, n := range mattering {
			on[n.NodeID] = true
		}
		wanted = append(wanted, mattering...)
		if len(open) < limit || len(on) >= upTo {
			return len(on), wanted, nil
		}
		after = open[len(open)-1].ID
	}
}
