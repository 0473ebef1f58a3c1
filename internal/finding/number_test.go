package finding_test

import (
	"testing"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// A database of before has occurrences without numbers: each gets those of its node and
// package, and everything else stays.
func TestNumbersOfBefore(t *testing.T) {
	older := []db.Migrations{}
	for _, room := range migrations {
		if room.Room == finding.Migrations.Room {
			room = dbtest.Before(t, room, "0012")
		}
		older = append(older, room)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := newHouse(t, d)
		h.execute(`INSERT INTO vulnerability (id, name, aliases, summary, severity, rank, cvss) VALUES (1, 'CVE-2026-1', '[]', '', 'high', 3, '[]')`)
		h.execute(`INSERT INTO finding (id, component_id, vulnerability_id, ecosystem, package, fixed, advisories) VALUES (1, 1, 1, 'Go', 'alone', '[]', '[]')`)
		h.execute(`INSERT INTO result (id, digest, uncovered, unread) VALUES (1, 'some', '[]', '[]')`)
		h.execute(`INSERT INTO result_finding (result_id, finding_id) VALUES (1, 1)`)
		h.execute(`INSERT INTO node_result (node_id, result_id) VALUES ('a', 1), ('clean', 1)`)
		h.execute(`INSERT INTO node_count (node_id, severity, open, decided) VALUES ('a', 'high', 2, 1)`)
		h.execute(`INSERT INTO occurrence (node_id, vulnerability_id, ecosystem, package, state, opened_at, opened_scan, opened_because, resolved_at) VALUES
			('a', 1, 'Debian', 'openssl', 'open', 1, '', 'installed', NULL), ('a', 1, 'Ubuntu', 'openssl', 'decided', 1, '', 'installed', NULL),
			('b', 1, 'Debian', 'openssl', 'open', 1, '', 'installed', NULL), ('a', 1, 'Debian', 'openssl', 'resolved', 0, '', 'installed', 1)`)
		if err := d.Migrate(t.Context(), migrations...); err != nil {
			t.Fatal(err)
		}
		got := dbtest.Text(t, d.Read(), `SELECT string_agg(o.state || ' ' || n.node_id || ' ' || p.ecosystem || ' ' || p.package, ', ')
			FROM (SELECT * FROM occurrence ORDER BY id) AS o JOIN node_number AS n ON n.number = o.node_number AND n.node_id = o.node_id
			JOIN package_number AS p ON p.number = o.package_number AND p.package = o.package AND p.ecosystem = o.ecosystem`)
		if want := "open a Debian openssl, decided a Ubuntu openssl, open b Debian openssl, resolved a Debian openssl"; got != want {
			t.Errorf("occurrences %s; want %s", got, want)
		}
		for query, want := range map[string]int{
			`SELECT count(*) FROM node_number WHERE node_id = 'clean'`:    1,
			`SELECT count(*) FROM package_number WHERE package = 'alone'`: 1,
			`SELECT count(*) FROM node_result`:                            2,
			`SELECT count(*) FROM result_finding`:                         1,
			`SELECT sum(open + decided) FROM node_count`:                  3,
		} {
			if n := h.count(query); n != want {
				t.Errorf("%s = %d, want %d", query, n, want)
			}
		}
	}, older...)
}
