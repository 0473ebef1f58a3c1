package finding

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"patrol/internal/feed"
	"patrol/internal/platform/db"
)

// difference is what a step from one result to another means for every node that
// takes it: as the inventory is the same, so is all of this.
type difference struct {
	step
	opened   []placed
	resolved []gone
	refixed  []placed // a fix has become known, or none is known any more
	came     []int64  // vulnerabilities that no place had before
	left     []int64  // and that none has now
	// decided: somebody decided about one of the vulnerabilities, so that what it means
	// depends on the node.
	decided bool
}

// placed is a place with what its occurrences are to say.
type placed struct {
	place
	severity string
	rank     int
	kev      int
	fixable  bool
}

// gone is a place where a vulnerability is no longer, and why.
type gone struct {
	placed
	because string
}

// rows is how many occurrences the step changes on each node.
func (d *difference) rows() int { return len(d.opened) + len(d.resolved) + len(d.refixed) }

// judged is a finding as an occurrence tells of it.
type judged struct {
	placed
	advisories []string
}

// comparison holds what results hold, to compare them.
type comparison struct {
	rev      *feed.Revision
	results  map[int64][]int64 // findings by result, sorted
	findings map[int64]judged  // of vulnerabilities of which something differs
	decided  map[int64]bool    // vulnerabilities
}

// compare returns what steps mean.
func compare(ctx context.Context, q db.Querier, rev *feed.Revision, steps []step) (*comparison, map[step]*difference, error) {
	c := &comparison{rev, make(map[int64][]int64), make(map[int64]judged), make(map[int64]bool)}
	if err := c.read(ctx, q, steps); err != nil {
		return nil, nil, fmt.Errorf("compare results: %w", err)
	}
	differences := make(map[step]*difference, len(steps))
	for _, step := range steps {
		d, err := c.difference(step)
		if err != nil {
			return nil, nil, fmt.Errorf("compare results: %w", err)
		}
		differences[step] = d
	}
	return c, differences, nil
}

func (c *comparison) read(ctx context.Context, q db.Querier, steps []step) error {
	results := []int64{}
	for _, s := range steps {
		results = append(results, s.before, s.after)
	}
	slices.Sort(results)
	list, err := db.Column(slices.Compact(results))
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT result_id, finding_id FROM result_finding WHERE result_id `+db.AmongIDs+` ORDER BY result_id, finding_id`, list)
	if err != nil {
		return err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var result, finding int64
		err := scan(&result, &finding)
		c.results[result] = append(c.results[result], finding)
		return err
	})
	if err != nil {
		return err
	}
	differ := make(map[int64]bool)
	for _, s := range steps {
		for _, f := range c.differ(s) {
			differ[f] = true
		}
	}
	return c.readFindings(ctx, q, slices.Sorted(maps.Keys(differ)))
}

// readFindings reads all findings of the vulnerabilities of some, and which of these
// somebody has decided about.
func (c *comparison) readFindings(ctx context.Context, q db.Querier, some []int64) error {
	list, err := db.Column(some)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT f.id, f.vulnerability_id, f.ecosystem, f.package, f.severity, f.rank, COALESCE(v.kev, 0),
			CASE WHEN f.fixed <> '[]' THEN 1 ELSE 0 END, f.advisories
		FROM vulnerability AS v JOIN finding AS f ON f.vulnerability_id = v.id
		WHERE v.id IN (SELECT DISTINCT vulnerability_id FROM finding WHERE id `+db.AmongIDs+`)`, list)
	if err != nil {
		return err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var id int64
		var j judged
		err := scan(&id, &j.Vulnerability, &j.Ecosystem, &j.Package, &j.severity, &j.rank, &j.kev, &j.fixable, db.JSON{Into: &j.advisories})
		c.findings[id] = j
		return err
	})
	if err != nil {
		return err
	}
	rows, err = q.QueryContext(ctx, `SELECT DISTINCT v.id FROM decision AS d JOIN vulnerability AS v ON v.name = d.vulnerability
		WHERE d.expired_at IS NULL AND v.id IN (SELECT vulnerability_id FROM finding WHERE id `+db.AmongIDs+`)`, list)
	if err != nil {
		return err
	}
	return db.Each(rows, func(scan db.Scan) error {
		var id int64
		err := scan(&id)
		c.decided[id] = true
		return err
	})
}

// stands tells whether what the steps were compared by is as it was when it was read:
// that nobody has decided about it, no vulnerability is known to be worse, and none has
// become one with another, which exchanges findings in results. To ask that costs a
// tenth of comparing again.
func (c *comparison) stands(ctx context.Context, q db.Querier, steps []step) (bool, error) {
	findings, err := db.ToJSON(c.readFor(steps))
	if err != nil {
		return false, err
	}
	held := make(map[int64]int64) // the sum of findings by result
	for _, s := range steps {
		for _, result := range []int64{s.before, s.after} {
			held[result] = 0
			for _, id := range c.results[result] {
				held[result] += id
			}
		}
	}
	sums := make([][2]int64, 0, len(held))
	for result, sum := range held {
		sums = append(sums, [2]int64{result, sum})
	}
	results, err := db.ToJSON(sums)
	if err != nil {
		return false, err
	}
	var other int
	err = q.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM json_each($1) AS j
			LEFT JOIN finding AS f ON f.id = CAST(j.value->>0 AS BIGINT) LEFT JOIN vulnerability AS v ON v.id = f.vulnerability_id
			WHERE v.id IS DISTINCT FROM CAST(j.value->>1 AS BIGINT) OR f.rank <> CAST(j.value->>2 AS BIGINT) OR COALESCE(v.kev, 0) <> CAST(j.value->>3 AS BIGINT)
			   OR CAST(j.value->>4 AS BIGINT) = 1 AND EXISTS (SELECT 1 FROM decision AS d WHERE d.expired_at IS NULL AND d.vulnerability = v.name))
		+ (SELECT count(*) FROM json_each($2) AS k WHERE CAST(k.value->>1 AS BIGINT) <>
			COALESCE((SELECT CAST(sum(r.finding_id) AS BIGINT) FROM result_finding AS r WHERE r.result_id = CAST(k.value->>0 AS BIGINT)), 0))`, findings, results).Scan(&other)
	if err != nil {
		return false, fmt.Errorf("look whether results are as they were: %w", err)
	}
	return other == 0, nil
}

// readFor returns what was read of the findings that steps were compared by: id,
// vulnerability, rank, whether that is exploited, and whether a step is about it.
func (c *comparison) readFor(steps []step) [][5]int64 {
	about := make(map[int64]bool)
	for _, s := range steps {
		for _, id := range c.differ(s) {
			about[c.findings[id].Vulnerability] = true
		}
	}
	read := make(map[int64][5]int64)
	for _, s := range steps {
		for _, result := range []int64{s.before, s.after} {
			for _, id := range c.results[result] {
				if f, differs := c.findings[id]; differs {
					read[id] = [5]int64{id, f.Vulnerability, int64(f.rank), int64(f.kev), int64(db.Bit(about[f.Vulnerability]))}
				}
			}
		}
	}
	return slices.Collect(maps.Values(read))
}

// difference returns what a step means.
func (c *comparison) difference(s step) (*difference, error) {
	before, after := c.places(s.before), c.places(s.after)
	d := &difference{step: s}
	had, has := make(map[int64]bool), make(map[int64]bool)
	for p, now := range after {
		has[p.Vulnerability] = true
		was, there := before[p]
		switch {
		case !there:
			d.opened = append(d.opened, now.placed)
		case was.fixable != now.fixable:
			d.refixed = append(d.refixed, now.placed)
		}
	}
	for p, was := range before {
		had[p.Vulnerability] = true
		if _, still := after[p]; still {
			continue
		}
		because, err := c.because(was.advisories)
		if err != nil {
			return nil, err
		}
		d.resolved = append(d.resolved, gone{was.placed, because})
	}
	for v := range has {
		if !had[v] {
			d.came = append(d.came, v)
		}
	}
	for v := range had {
		if !has[v] {
			d.left = append(d.left, v)
		}
	}
	d.decided = slices.ContainsFunc(c.differ(s), func(f int64) bool { return c.decided[c.findings[f].Vulnerability] })
	return d, nil
}

// places are where a result finds the vulnerabilities of which something differs.
// Several components may be in one.
func (c *comparison) places(result int64) map[place]judged {
	found := make(map[place]judged)
	for _, id := range c.results[result] {
		f, differs := c.findings[id]
		if !differs {
			continue
		}
		p := found[f.place]
		f.fixable = f.fixable || p.fixable
		f.advisories = append(slices.Clone(p.advisories), f.advisories...)
		found[f.place] = f
	}
	return found
}

// because says why what advisories said is no longer said: they were withdrawn, or
// say something else.
func (c *comparison) because(advisories []string) (string, error) {
	for _, id := range advisories {
		record, found, err := c.rev.Record(id)
		if err != nil {
			return "", err
		}
		if found && record.Withdrawn.IsZero() {
			return Corrected, nil
		}
	}
	return Withdrawn, nil
}

// differ returns the findings that only one of a step's results has.
func (c *comparison) differ(s step) []int64 {
	before, after := c.results[s.before], c.results[s.after]
	return append(missing(before, after), missing(after, before)...)
}

// missing returns what the first of two sorted lists has and the second has not.
func missing(from, in []int64) []int64 {
	var only []int64
	for _, id := range from {
		for len(in) > 0 && in[0] < id {
			in = in[1:]
		}
		if len(in) == 0 || in[0] != id {
			only = append(only, id)
		}
	}
	return only
}
