package finding

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// How much is written in one transaction: others wait for it.
const (
	carryInventories     = 100 // with a row for each finding
	carryVulnerabilities = 2000
)

// wholeInventories is how many are matched before the nodes that have them move.
const wholeInventories = 100

// matchLacking gives inventories their results under a revision: from those that
// they had under an earlier one, where its file is there to be compared with, else
// by matching all that they hold.
func (s *Service) matchLacking(ctx context.Context, k Knowledge, r rematch, lacking []inventory) error {
	if len(lacking) == 0 {
		return nil
	}
	earlier, err := s.predecessors(ctx, lacking)
	if err != nil {
		return err
	}
	for _, p := range earlier {
		old, found, err := k.Revision(ctx, p.revision)
		if err != nil {
			slog.WarnContext(ctx, "an earlier revision of the feed cannot be read; what it had found is matched anew", "revision", p.revision, "error", err)
		}
		if err != nil || !found {
			continue
		}
		var these, others []inventory
		for _, i := range lacking {
			if p.inventories[i.id] {
				these = append(these, i)
			} else {
				others = append(others, i)
			}
		}
		err = s.carry(ctx, r, old, these)
		if db.Down(ctx, err) {
			return err
		}
		if err != nil {
			slog.WarnContext(ctx, "what an earlier revision of the feed had found cannot be carried on; it is matched anew", "revision", p.revision, "error", err)
			continue
		}
		lacking = others
	}
	return s.matchWhole(ctx, r, lacking, len(earlier) == 0)
}

// matchWhole matches all that inventories hold, and has nodes move on the way: of a
// large fleet it takes long. Where there is no result by the rules of now, it is for
// those. One inventory that cannot be matched holds up no other.
func (s *Service) matchWhole(ctx context.Context, r rematch, lacking []inventory, newRules bool) error {
	if len(lacking) > 0 && newRules {
		if err := s.note(ctx, `UPDATE rematch SET cause = $2 WHERE id = $1`, r.id, byEngine); err != nil {
			return err
		}
	}
	var failed faults
	for some := range slices.Chunk(lacking, wholeInventories) {
		for _, i := range some {
			_, err := s.Match(ctx, i.id, i.ecosystems, r.rev)
			if db.Down(ctx, err) {
				return err
			}
			if err != nil {
				failed.note(fmt.Errorf("match inventory %s: %w", i.digest, err))
			}
		}
		if err := s.moveAll(ctx, r); err != nil {
			return err
		}
	}
	return failed.err()
}

// note writes what is known of a re-match.
func (s *Service) note(ctx context.Context, statement string, args ...any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// answers are the component versions of which a revision says something else than
// the one before.
type answers struct {
	components map[int64]bool
	findings   map[int64][]int64 // component → ids of what is found in it now
	// Of a component: that it could not be compared before, and cannot be now.
	wasUnread, isUnread map[int64][]Unread
}

// carry gives inventories their results under a revision from those that they had
// under an old one: only of packages of which something else is said is anything
// matched, once for each version that the fleet has of them.
func (s *Service) carry(ctx context.Context, r rematch, old *feed.Revision, inventories []inventory) error {
	differ, changes, err := s.differing(ctx, r, old, inventories)
	if err != nil {
		return err
	}
	a, err := s.learn(ctx, r.rev, changes.Vulnerabilities, differ)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(inventories, carryInventories) {
		err := s.db.Write(ctx, func(tx *db.Tx) error { return carryResults(ctx, tx, r.rev, old, some, a) })
		if err != nil {
			return fmt.Errorf("keep results: %w", err)
		}
	}
	return nil
}

// differing is matching: the components of which the revisions say different
// things, with what the new one says, and what changed in all.
func (s *Service) differing(ctx context.Context, r rematch, old *feed.Revision, inventories []inventory) (differ, feed.Changes, error) {
	changes, err := feed.Compare(old, r.rev)
	if err != nil {
		return differ{}, changes, err
	}
	ids, err := s.componentsOf(ctx, changes.Packages, inventories)
	if err != nil {
		return differ{}, changes, fmt.Errorf("find the components that the feed says something else of: %w", err)
	}
	keys := make([]sbom.Key, 0, len(ids))
	for key := range ids {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, sbom.Key.Compare)
	before, err := match.Inventory(old, keys)
	if err != nil {
		return differ{}, changes, err
	}
	after, err := match.Inventory(r.rev, keys)
	if err != nil {
		return differ{}, changes, err
	}
	d := differ{make(map[sbom.Key]int64), &match.Result{Findings: make(map[sbom.Key][]match.Finding)}, unreadOf(before, ids), unreadOf(after, ids)}
	for _, key := range keys {
		id := ids[key]
		if reflect.DeepEqual(before.Findings[key], after.Findings[key]) && slices.Equal(d.wasUnread[id], d.isUnread[id]) {
			continue
		}
		d.ids[key] = id
		if found := after.Findings[key]; len(found) > 0 {
			d.now.Findings[key] = found
		}
	}
	err = s.note(ctx, `UPDATE rematch SET revision_before = $2, records_new = $3, records_changed = $4, records_gone = $5, components = $6 WHERE id = $1 AND revision_before = ''`,
		r.id, old.ID(), changes.New, changes.Changed, changes.Gone, len(keys))
	return d, changes, err
}

// differ are components of which a revision says something else than the one before.
type differ struct {
	ids map[sbom.Key]int64
	now *match.Result // what is found in them now

	wasUnread, isUnread map[int64][]Unread
}

// unreadOf returns why components, by id, could not be compared.
func unreadOf(matched *match.Result, ids map[sbom.Key]int64) map[int64][]Unread {
	found := make(map[int64][]Unread)
	for _, u := range matched.Unread {
		id := ids[u.Component]
		found[id] = append(found[id], newUnread(u))
	}
	return found
}

// few is how many names are looked up one by one; of more, an ecosystem's components
// are all read.
const few = 5000

// componentsOf returns the component versions, of the ecosystems of inventories,
// that advisories of the packages speak of.
func (s *Service) componentsOf(ctx context.Context, packages []feed.Package, inventories []inventory) (map[sbom.Key]int64, error) {
	names := make(map[string]map[string]bool)
	for _, p := range packages {
		if names[p.Ecosystem] == nil {
			names[p.Ecosystem] = make(map[string]bool)
		}
		names[p.Ecosystem][p.Name] = true
	}
	asked := make(map[string]bool)
	found := make(map[sbom.Key]int64)
	for _, i := range inventories {
		for _, ecosystem := range i.ecosystems {
			if asked[ecosystem] {
				continue
			}
			asked[ecosystem] = true
			// What is said of the bare ecosystem is said of every release.
			released, bare := names[ecosystem], names[match.Base(ecosystem)]
			if len(released)+len(bare) == 0 {
				continue
			}
			if err := s.componentsNamed(ctx, ecosystem, found, released, bare); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// componentsNamed adds the components of an ecosystem whose packages are named in
// one of the sets.
func (s *Service) componentsNamed(ctx context.Context, ecosystem string, found map[sbom.Key]int64, released, bare map[string]bool) error {
	from, args := `component AS c WHERE c.ecosystem = $1`, []any{ecosystem}
	if match.NamedExactly(ecosystem) && len(released)+len(bare) <= few {
		names := []string{}
		for _, set := range []map[string]bool{released, bare} {
			for name := range set {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		list, err := db.Column(slices.Compact(names))
		if err != nil {
			return err
		}
		from = `json_each($2) AS j CROSS JOIN component AS c WHERE c.ecosystem = $1 AND c.name = j.value->>0`
		args = append(args, list)
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT c.id, c.ecosystem, c.name, c.version, c.source_name, c.source_version FROM `+from, args...)
	if err != nil {
		return err
	}
	return db.Each(rows, func(scan db.Scan) error {
		var id int64
		var k sbom.Key
		err := scan(&id, &k.Ecosystem, &k.Name, &k.Version, &k.SourceName, &k.SourceVersion)
		subject, _ := match.Subject(k)
		if name := match.PackageKey(ecosystem, subject); released[name] || bare[name] {
			found[k] = id
		}
		return err
	})
}

// learn keeps what a revision says of vulnerabilities that it describes in another
// way than before, or that it finds in components which it judges in another way.
func (s *Service) learn(ctx context.Context, rev *feed.Revision, changed []string, d differ) (answers, error) {
	rows, vulnerabilities, err := toRows(rev, d.now, d.ids)
	if err != nil {
		return answers{}, err
	}
	known, err := s.namesAmong(ctx, changed)
	if err != nil {
		return answers{}, err
	}
	found := make(map[string]bool, len(vulnerabilities))
	for _, v := range vulnerabilities {
		found[v.Name] = true
	}
	for _, name := range known {
		if found[name] {
			continue
		}
		v, err := vulnerability(rev, name)
		if err != nil {
			return answers{}, err
		}
		vulnerabilities = append(vulnerabilities, v)
	}
	byName := make(map[string][]row)
	for _, row := range rows {
		byName[row.Vulnerability] = append(byName[row.Vulnerability], row)
	}
	a := answers{make(map[int64]bool), make(map[int64][]int64), d.wasUnread, d.isUnread}
	for _, id := range d.ids {
		a.components[id] = true
	}
	for some := range slices.Chunk(vulnerabilities, carryVulnerabilities) {
		var found []kept
		err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
			found, err = s.learnSome(ctx, tx, rev, some, byName)
			return err
		})
		if err != nil {
			return answers{}, fmt.Errorf("keep vulnerabilities: %w", err)
		}
		for _, f := range found {
			a.findings[f.component] = append(a.findings[f.component], f.id)
		}
	}
	return a, nil
}

func (s *Service) learnSome(ctx context.Context, tx *db.Tx, rev *feed.Revision, vulnerabilities []match.Vulnerability, findings map[string][]row) ([]kept, error) {
	if err := renameVulnerabilities(ctx, tx, rev, vulnerabilities); err != nil {
		return nil, err
	}
	assessed, err := keepVulnerabilities(ctx, tx, vulnerabilities, *s.known.Load())
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, v := range vulnerabilities {
		rows = append(rows, findings[v.Name]...)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Vulnerability, b.Vulnerability))
	})
	found, err := keepFindings(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	return found, s.rate(ctx, tx, assessed)
}

// namesAmong returns those of the names that vulnerabilities of the fleet have.
func (s *Service) namesAmong(ctx context.Context, names []string) ([]string, error) {
	list, err := db.Column(names)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT v.name FROM json_each($1) AS j JOIN vulnerability AS v ON v.name = j.value->>0`, list)
	return db.All(rows, err, db.Value[string])
}
