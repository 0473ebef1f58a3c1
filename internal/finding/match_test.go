package finding_test

import (
	"strings"
	"testing"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

var heartbleed = advisory{"DEBIAN-CVE-2014-0160", "Debian:12", "openssl", "3.0.15-1", "CVE-2014-0160", critical}

func TestMatchIsKeptOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		document := h.put(deb("libssl3", "openssl", "3.0.11-1"), deb("openssl", "openssl", "3.0.11-1"), deb("bash", "bash", "5.2-1"))
		rev := revision{"r1", []advisory{heartbleed}}
		first := h.match(document, rev)
		// What is stored is not matched again: this revision would find nothing.
		if again := h.match(document, revision{id: "r1"}); again != first {
			t.Errorf("matched again: result %d, then %d", first, again)
		}
		if n := h.count(`SELECT count(*) FROM result_finding`); n != 2 {
			t.Errorf("%d findings; want one for each binary package of openssl", n)
		}
	})
}

func TestEqualResultsAreOneRow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		document := h.put(deb("libssl3", "openssl", "3.0.11-1"))
		unrelated := advisory{"DEBIAN-CVE-2026-1", "Debian:12", "nginx", "", "CVE-2026-1", medium}
		first := h.match(document, revision{"r1", []advisory{heartbleed}})
		second := h.match(document, revision{"r2", []advisory{heartbleed, unrelated}})
		if first != second {
			t.Errorf("a revision that says nothing new gave the result %d beside %d", second, first)
		}
		if n := h.count(`SELECT count(*) FROM result_of`); n != 2 {
			t.Errorf("%d pairs of inventory and revision are noted; want 2", n)
		}
		changed := heartbleed
		changed.fixed = "3.0.16-1"
		third := h.match(document, revision{"r3", []advisory{changed}})
		if third == first || h.count(`SELECT count(*) FROM finding`) != 2 {
			t.Error("an advisory that changed did not give another finding")
		}
	})
}

func TestMatchSaysWhatItCouldNotDo(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r1", []advisory{heartbleed}}
		h.match(h.put(sbom.Component{Ecosystem: "amzn:2023", Name: "bash", Version: "5.2"}, deb("libssl3", "openssl", "not a version!")), rev)
		var uncovered, unread string
		row := h.db.Read().QueryRowContext(t.Context(), `SELECT uncovered, unread FROM result`)
		if err := row.Scan(&uncovered, &unread); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(uncovered, `"amzn:2023"`) || strings.Contains(uncovered, "Debian") || !strings.Contains(unread, "not a version!") {
			t.Errorf("uncovered = %s, unread = %s", uncovered, unread)
		}
	})
}

func TestMatchOfNothing(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		if result := h.match(h.put(), revision{id: "r1"}); result == 0 {
			t.Error("an empty inventory has no result")
		}
	})
}

func TestMatchRefusesABrokenRevision(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		document := h.put(deb("libssl3", "openssl", "3.0.11-1"))
		_, err := h.Match(t.Context(), document.Inventory.ID, document.Inventory.Ecosystems, broken{revision{"r1", []advisory{heartbleed}}})
		if err == nil || !strings.Contains(err.Error(), "CVE-2014-0160") {
			t.Errorf("Match = %v; want it to name what the revision lacks", err)
		}
		if n := h.count(`SELECT count(*) FROM result_of`); n != 0 {
			t.Error("a result was kept")
		}
	})
}

// broken names vulnerabilities that it does not hold.
type broken struct{ revision }

func (broken) ID() string { return "broken" }

func (b broken) Vulnerability(name string) (v match.Vulnerability, found bool, err error) {
	return v, false, nil
}
