package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/risk"
)

// Intelligence is one immutable state of what is known of vulnerabilities beside
// their advisories.
type Intelligence interface {
	Of(name string) (risk.Intelligence, error)
}

// nothing is known until [Service.Reassess] is first called.
type nothing struct{}

func (nothing) Of(string) (risk.Intelligence, error) { return risk.Intelligence{}, nil }

// stated is what advisories say of how bad a vulnerability is.
type stated struct {
	Malicious []string         `json:"malicious,omitempty"` // records of malicious packages
	Severity  []match.Severity `json:"severity,omitempty"`
}

func statedOf(v match.Vulnerability) stated {
	malicious := slices.DeleteFunc(slices.Clone(v.Records), func(id string) bool { return !strings.HasPrefix(id, "MAL-") })
	return stated{malicious, v.Severity}
}

// assessment is a row's share of a vulnerability that intelligence changes.
type assessment struct {
	Name     string        `json:"name"`
	Severity risk.Severity `json:"severity"`
	Rank     int           `json:"rank"`
	CVSS     []risk.CVSS   `json:"cvss"`
	Words    []risk.Word   `json:"words"`
	EPSS     *float64      `json:"epss"`
	KEV      *int          `json:"kev"`
	SSVC     *risk.SSVC    `json:"ssvc"`

	whole risk.Assessment
}

func assess(known Intelligence, name string, s stated) (assessment, error) {
	intelligence, err := known.Of(name)
	if err != nil {
		return assessment{}, err
	}
	a := risk.Assess(match.Vulnerability{Name: name, Records: s.Malicious, Severity: s.Severity}, intelligence)
	row := assessment{
		Name: name, Severity: a.Severity, Rank: a.Severity.Rank(), CVSS: a.CVSS, Words: a.Words,
		EPSS: a.EPSS.Probability(), SSVC: a.SSVC, whole: a,
	}
	if listed := a.KEV.Known(); listed != nil {
		row.KEV = new(int)
		if *listed {
			*row.KEV = 1
		}
	}
	return row, nil
}

// perUpdate is how many vulnerabilities are assessed in one transaction: few
// enough to keep nobody waiting.
const perUpdate = 2000

// Reassess assesses every vulnerability anew with what is known now, which it
// keeps for those that matching will find. Nothing is matched.
func (s *Service) Reassess(ctx context.Context, known Intelligence) error {
	// Before the first row is read: what is matched meanwhile is assessed with
	// it already, or stands in the table by then.
	s.known.Store(&known)
	for after := ""; ; {
		var err error
		if after, err = s.reassess(ctx, known, after); err != nil || after == "" {
			return err
		}
	}
}

// reassess does so for the next vulnerabilities by name, and returns the last one;
// empty after the last of all.
func (s *Service) reassess(ctx context.Context, known Intelligence, after string) (last string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT name, stated FROM vulnerability WHERE name > $1 AND stated <> '' ORDER BY name LIMIT $2`, after, perUpdate)
		assessed, err := db.All(rows, err, func(scan db.Scan) (assessment, error) {
			var name string
			var said stated
			if err := scan(&name, db.JSON{Into: &said}); err != nil {
				return assessment{}, err
			}
			return assess(known, name, said)
		})
		if err != nil || len(assessed) == 0 {
			return err
		}
		last = assessed[len(assessed)-1].Name
		text, err := db.ToJSON(assessed)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE vulnerability SET severity = a.severity, rank = a.rank, cvss = a.cvss, words = a.words,
				epss = a.epss, kev = a.kev, ssvc = a.ssvc
			FROM (SELECT value->>'name' AS name, `+assessedColumns+` FROM json_each($1) AS j) AS a
			WHERE vulnerability.name = a.name AND (vulnerability.severity <> a.severity OR vulnerability.cvss <> a.cvss
				OR vulnerability.words <> a.words OR vulnerability.ssvc <> a.ssvc
				OR vulnerability.epss IS DISTINCT FROM a.epss OR vulnerability.kev IS DISTINCT FROM a.kev)`, text)
		if err != nil {
			return err
		}
		return s.rate(ctx, tx, assessed)
	})
	if err != nil {
		return "", fmt.Errorf("assess vulnerabilities after %q: %w", after, err)
	}
	return last, nil
}

// rate gives findings and occurrences of the vulnerabilities the severity that
// these have in their ecosystems.
func (s *Service) rate(ctx context.Context, tx *db.Tx, assessed []assessment) error {
	type ratedPlace struct {
		Vulnerability int64         `json:"vulnerability"`
		Ecosystem     string        `json:"ecosystem"`
		Severity      risk.Severity `json:"severity"`
		Rank          int           `json:"rank"`
		KEV           int           `json:"kev"`
	}
	byName := make(map[string]assessment, len(assessed))
	names := make([]string, 0, len(assessed))
	for _, a := range assessed {
		byName[a.Name] = a
		names = append(names, a.Name)
	}
	list, err := db.Column(names)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT v.id, v.name, f.ecosystem FROM json_each($1) AS j JOIN vulnerability AS v ON v.name = j.value->>0
		JOIN finding AS f ON f.vulnerability_id = v.id`, list)
	rated, err := db.All(rows, err, func(scan db.Scan) (p ratedPlace, err error) {
		var name string
		err = scan(&p.Vulnerability, &name, &p.Ecosystem)
		p.Severity = byName[name].whole.SeverityIn(p.Ecosystem)
		p.Rank = p.Severity.Rank()
		if listed := byName[name].KEV; listed != nil {
			p.KEV = *listed
		}
		return p, err
	})
	if err != nil {
		return err
	}
	text, err := db.ToJSON(rated)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE finding SET severity = p.severity, rank = p.rank FROM (`+places+`) AS p
		WHERE finding.vulnerability_id = p.vulnerability AND finding.ecosystem = p.ecosystem AND finding.severity <> p.severity`, text)
	if err != nil {
		return err
	}
	return s.rateOccurrences(ctx, tx, text)
}

// places reads what rate is about to say out of JSON.
const places = `SELECT CAST(value->>'vulnerability' AS BIGINT) AS vulnerability, value->>'ecosystem' AS ecosystem, value->>'severity' AS severity,
	CAST(value->>'rank' AS BIGINT) AS rank, CAST(value->>'kev' AS BIGINT) AS kev FROM json_each($1) AS j`

// rateOccurrences looks at the numbers first: they tell which of the
// vulnerabilities have occurrences that say otherwise, of which there may be
// millions.
func (s *Service) rateOccurrences(ctx context.Context, tx *db.Tx, list string) error {
	rows, err := tx.QueryContext(ctx, `SELECT p.vulnerability FROM (`+places+`) AS p JOIN affected_package AS a
			ON a.vulnerability_id = p.vulnerability AND a.ecosystem = p.ecosystem WHERE a.rank <> p.rank
		UNION SELECT p.vulnerability FROM (`+places+`) AS p JOIN affected AS a ON a.vulnerability_id = p.vulnerability WHERE a.kev <> p.kev`, list)
	changed, err := db.All(rows, err, db.Value[int64])
	if err != nil {
		return err
	}
	column, err := db.Column(changed)
	if err != nil {
		return err
	}
	before, err := standings(ctx, tx, column)
	if err != nil {
		return err
	}
	err = countVulnerabilities(ctx, tx, changed, func() error {
		_, err := tx.ExecContext(ctx, `UPDATE occurrence SET severity = p.severity, rank = p.rank, kev = p.kev FROM (`+places+`) AS p
			WHERE p.vulnerability IN (SELECT CAST(value->>0 AS BIGINT) FROM json_each($2) AS j)
			  AND occurrence.vulnerability_id = p.vulnerability AND occurrence.ecosystem = p.ecosystem
			  AND (occurrence.rank <> p.rank OR occurrence.kev <> p.kev)`, list, column)
		return err
	})
	if err != nil {
		return err
	}
	return s.tellWorse(ctx, tx, column, before)
}

// assessedColumns reads an assessment out of JSON.
const assessedColumns = `value->>'severity' AS severity, CAST(value->>'rank' AS BIGINT) AS rank, value->>'cvss' AS cvss, value->>'words' AS words,
	CAST(value->>'epss' AS DOUBLE PRECISION) AS epss, CAST(value->>'kev' AS BIGINT) AS kev, COALESCE(value->>'ssvc', 'null') AS ssvc`
