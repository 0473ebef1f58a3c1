package notify

import (
	"context"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/policy"
)

// lookup knows the nodes and vulnerabilities that happenings are about, each read
// once for all rules.
type lookup struct {
	service    *Service
	q          db.Querier
	nodes      map[string]policy.Node
	background map[int64]finding.Background
	affected   map[int64]int // on how many nodes a vulnerability is open
	open       map[int64]int // how many occurrences of it are
}

func (s *Service) lookup(q db.Querier) *lookup {
	return &lookup{s, q, make(map[string]policy.Node), make(map[int64]finding.Background), make(map[int64]int), make(map[int64]int)}
}

// know reads what there is to know of occurrences, and of nodes.
func (l *lookup) know(ctx context.Context, noted []finding.Noted, nodes ...string) error {
	vulnerabilities := make(map[int64]bool)
	missing := make(map[string]bool)
	for _, n := range noted {
		if _, ok := l.background[n.VulnerabilityID]; !ok {
			vulnerabilities[n.VulnerabilityID] = true
		}
		if _, ok := l.nodes[n.NodeID]; !ok {
			missing[n.NodeID] = true
		}
	}
	for _, id := range nodes {
		if _, ok := l.nodes[id]; !ok && id != "" {
			missing[id] = true
		}
	}
	if len(missing) > 0 {
		named, err := l.service.nodes.Named(ctx, l.q, keys(missing))
		if err != nil {
			return err
		}
		for id := range missing {
			l.nodes[id] = named[id] // one that is gone is known to be
		}
	}
	if len(vulnerabilities) == 0 {
		return nil
	}
	found, err := l.service.findings.Background(ctx, l.q, keys(vulnerabilities))
	if err != nil {
		return err
	}
	for id := range vulnerabilities {
		l.background[id] = found[id]
	}
	return l.count(ctx, keys(vulnerabilities))
}

// count reads on how many nodes, and how often, vulnerabilities are open.
func (l *lookup) count(ctx context.Context, vulnerabilities []int64) error {
	list, err := db.Column(vulnerabilities)
	if err != nil {
		return err
	}
	rows, err := l.q.QueryContext(ctx, `SELECT a.vulnerability_id, a.nodes, (SELECT COALESCE(CAST(sum(p.open) AS BIGINT), 0) FROM affected_package AS p WHERE p.vulnerability_id = a.vulnerability_id)
		FROM affected AS a WHERE a.vulnerability_id `+db.AmongIDs, list)
	if err != nil {
		return err
	}
	return db.Each(rows, func(scan db.Scan) error {
		var id int64
		var nodes, open int
		err := scan(&id, &nodes, &open)
		l.affected[id], l.open[id] = nodes, open
		return err
	})
}

func keys[K comparable](set map[K]bool) []K {
	list := make([]K, 0, len(set))
	for k := range set {
		list = append(list, k)
	}
	return list
}

// occurrence is what rules see of one.
func (l *lookup) occurrence(n finding.Noted) policy.Occurrence {
	b := l.background[n.VulnerabilityID]
	return policy.Occurrence{
		Vulnerability: n.Vulnerability, Aliases: b.Aliases, Severity: string(n.Severity), Score: b.Score, KEV: n.KEV, EPSS: b.EPSS,
		Ecosystem: n.Ecosystem, Package: n.Package, Fixable: n.Fixable, Fixed: b.FixedIn(n.Ecosystem, n.Package),
		Because: n.Because, OpenedAt: n.OpenedAt,
	}
}

// finding is what notifications hold of one.
func (l *lookup) finding(n finding.Noted) Finding {
	b, node := l.background[n.VulnerabilityID], l.nodes[n.NodeID]
	labels := node.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	return Finding{
		Occurrence: n.ID, Vulnerability: n.Vulnerability, Summary: shorten(b.Summary, 500), Severity: string(n.Severity), Score: b.Score, KEV: n.KEV, EPSS: b.EPSS,
		Ecosystem: n.Ecosystem, Package: n.Package, Fixable: n.Fixable, Fixed: append([]string{}, b.FixedIn(n.Ecosystem, n.Package)...),
		OpenedAt: n.OpenedAt, Because: n.Because, Node: Node{ID: n.NodeID, Kind: node.Kind, Name: node.Name, Labels: labels},
	}
}
