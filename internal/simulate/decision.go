package simulate

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
)

// whom a decision is about.
type whom int

const (
	nobody whom = iota // there is none
	everybody
	thePackage
	theSelected
	oneNode
)

// decided tells about whom somebody decided that a vulnerability does not count: of
// every fiftieth, and of some that stand everywhere on one node alone.
func decided(vulnerability int) whom {
	switch {
	case vulnerability%50 == 3:
		return everybody + whom(vulnerability/50%3)
	case vulnerability%10 == 7 && vulnerability <= everywhere/5*2:
		return oneNode
	}
	return nobody
}

func decisionID(i int) string { return fmt.Sprintf("0197d000-0000-7000-8000-%012d", i) }

// fillDecisions writes what was decided before anything was scanned.
func (f Fleet) fillDecisions(ctx context.Context, d *db.DB) error {
	const status = `CASE WHEN j.value->>5 = '` + finding.NotAffected + `' THEN 'vulnerable_code_not_in_execute_path' ELSE '' END`
	rows, err := d.Read().QueryContext(ctx, `SELECT v.id, v.name, (SELECT min(package) FROM finding WHERE vulnerability_id = v.id) FROM vulnerability AS v ORDER BY v.id`)
	var decisions [][]any
	if err == nil {
		err = db.Each(rows, func(scan db.Scan) error {
			var number int
			var name, known string
			if err := scan(&number, &name, &known); err != nil {
				return err
			}
			packageName, node, selector, status, until := "", "", "", finding.NotAffected, any(nil)
			switch decided(number) {
			case nobody:
				return nil
			case thePackage:
				packageName, status = known, finding.FalsePositive
			case theSelected:
				selector, status, until = `node.labels["env"] == "test"`, finding.RiskAccepted, f.Now.Add(90*24*time.Hour).UnixMicro()
			case oneNode:
				node = nodeID(int(f.chance(uint64(number), 8) % uint64(f.Nodes)))
			}
			decisions = append(decisions, []any{decisionID(number), name, packageName, node, selector, status, until})
			return nil
		})
	}
	if err != nil {
		return err
	}
	text, err := db.ToJSON(decisions)
	if err != nil {
		return err
	}
	return execute(ctx, d,
		statement{`INSERT INTO decision (id, vulnerability, package, node_id, selector, status, until, justification, reason, author, created_at)
			SELECT j.value->>0, j.value->>1, j.value->>2, j.value->>3, j.value->>4, j.value->>5, CAST(j.value->>6 AS BIGINT), ` + status + `,
				'Made up, to see what a console bears', 'simulated', CAST($2 AS BIGINT) FROM json_each($1) AS j`, []any{text, f.Now.Add(-91 * 24 * time.Hour).UnixMicro()}},
		statement{text: `INSERT INTO decision_node (decision_id, node_id) SELECT d.id, l.node_id FROM decision AS d
			CROSS JOIN node_label AS l WHERE d.selector <> '' AND l.key = 'env' AND l.value = 'test'`})
}
