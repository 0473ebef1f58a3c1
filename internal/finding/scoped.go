package finding

import (
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

// The numbers that are kept are those of all nodes. For who sees some of them they
// are counted, from the occurrences of those: a query of its own, so that the one
// of who sees all reads its index and nothing else.

// affected is the table of vulnerabilities across the nodes of a scope, with the
// columns of affected.
func affected(args *arguments, scope fleet.Scope) string {
	if scope.Column == fleet.All {
		return `affected`
	}
	return affectedOf(args, scope, ``) + ` AS affected`
}

// affectedOf counts occurrences of a scope that a condition holds for.
func affectedOf(args *arguments, scope fleet.Scope, condition string) string {
	return `(SELECT v.id AS vulnerability_id, v.name AS name, o.rank AS rank, COALESCE(v.kev, 0) AS kev, o.fixable AS fixable,
			o.packages AS packages, o.nodes AS nodes, o.decided AS decided, o.first_seen AS first_seen
		FROM (SELECT vulnerability_id, COALESCE(max(rank) FILTER (WHERE state = 'open'), max(rank)) AS rank,
				max(CASE state WHEN 'open' THEN fixable ELSE 0 END) AS fixable,
				count(DISTINCT ecosystem || ' ' || package) FILTER (WHERE state = 'open') AS packages,
				count(DISTINCT node_id) FILTER (WHERE state = 'open') AS nodes,
				count(DISTINCT node_id) FILTER (WHERE state = 'decided') AS decided, min(opened_at) AS first_seen
			FROM ` + occurrencesWhere(amongNumbers(args.add(scope.Column))+condition) + ` GROUP BY vulnerability_id) AS o
		JOIN vulnerability AS v ON v.id = o.vulnerability_id)`
}

// packagesOfSome is packagesOfAll for the nodes of a parameter.
func packagesOfSome(seen string) string {
	return `SELECT ecosystem, package, max(rank) AS rank, count(*) FILTER (WHERE state = 'open') AS open,
		count(*) FILTER (WHERE state = 'decided') AS decided, count(*) FILTER (WHERE state = 'open' AND fixable = 1) AS fixable
	FROM occurrence WHERE vulnerability_id = (SELECT id FROM vulnerability WHERE name = $1)
	  AND node_id ` + db.Among(seen) + ` AND state IN ('open', 'decided')
	GROUP BY ecosystem, package ORDER BY 3 DESC, 4 DESC, ecosystem, package`
}

// occurrencesWhere are the occurrences, of any state, that a condition on nodes holds
// for. What is open has another index than what was resolved, and each is asked.
func occurrencesWhere(condition string) string {
	return `(SELECT * FROM occurrence WHERE resolved_at IS NULL AND ` + condition + ` UNION ALL SELECT * FROM occurrence WHERE resolved_at IS NOT NULL AND ` + condition + `) AS occurrence`
}

// concerns is the condition on decisions that are about some of a scope's nodes, or
// about all nodes.
func concerns(parameter string) string {
	return `(d.node_id = '' AND d.selector = '' OR d.node_id ` + db.Among(parameter) + `
		OR EXISTS (SELECT 1 FROM decision_node AS m WHERE m.decision_id = d.id AND m.node_id ` + db.Among(parameter) + `))`
}

// audienceOf is whom the events of a decision are told to. Whom a selector means
// differs by the hour: they find the decision in their list.
func audienceOf(r DecisionRequest) event.Audience {
	switch {
	case r.Node != "":
		return event.Of(r.Node)
	case r.Selector != "":
		return event.AllNodes
	default:
		return event.Everybody
	}
}
