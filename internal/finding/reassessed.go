package finding

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/risk"
)

// That something is open is told when it is opened. When what is open turns out to be
// worse than was known then, that is told of its vulnerability, once for all nodes.

// standing is how bad a vulnerability is where it is open.
type standing struct {
	id              int64
	name            string
	rank, kev, open int // open on how many nodes
}

// standings returns those of vulnerabilities that are open on some node, by name.
func standings(ctx context.Context, tx *db.Tx, list string) ([]standing, error) {
	rows, err := tx.QueryContext(ctx, `SELECT vulnerability_id, name, rank, kev, nodes FROM affected WHERE vulnerability_id `+db.AmongIDs+` AND nodes > 0 ORDER BY name`, list)
	found, err := db.All(rows, err, func(scan db.Scan) (s standing, err error) { return s, scan(&s.id, &s.name, &s.rank, &s.kev, &s.open) })
	if err != nil {
		return nil, fmt.Errorf("read how bad vulnerabilities are: %w", err)
	}
	return found, nil
}

// reassessed is what is told of a vulnerability that is worse than was known.
type reassessed struct {
	Vulnerability  string        `json:"vulnerability"`
	SeverityBefore risk.Severity `json:"severity_before"`
	Severity       risk.Severity `json:"severity"`
	KEVBefore      bool          `json:"kev_before"`
	KEV            bool          `json:"kev"`
	Nodes          int           `json:"nodes"`
}

// tellWorse tells which of the vulnerabilities are listed as exploited, or more severe,
// and were not before.
func (s *Service) tellWorse(ctx context.Context, tx *db.Tx, list string, before []standing) error {
	after, err := standings(ctx, tx, list)
	if err != nil {
		return err
	}
	was := make(map[int64]standing, len(before))
	for _, b := range before {
		was[b.id] = b
	}
	news := []event.News{}
	for _, is := range after {
		b, known := was[is.id]
		if !known || is.rank <= b.rank && is.kev <= b.kev {
			continue
		}
		news = append(news, event.News{To: event.AllNodes, Subject: is.name, Data: reassessed{
			Vulnerability: is.name, SeverityBefore: risk.OfRank(b.rank), Severity: risk.OfRank(is.rank),
			KEVBefore: b.kev == 1, KEV: is.kev == 1, Nodes: is.open,
		}})
	}
	return event.AppendAll(ctx, tx, s.now(), "vulnerability.reassessed", news)
}
