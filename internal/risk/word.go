package risk

import (
	"cmp"
	"slices"
	"strings"

	"patrol/internal/match"
)

// Word is what the database of an ecosystem itself says of a vulnerability. A
// distribution's is its own judgement, which knows how it builds the package:
// Debian's "unimportant" is one, and says something else than that there is no
// fix. GitHub speaks for the ecosystems that its advisories are about.
type Word struct {
	// Database is the base of the ecosystem, such as Debian or npm.
	Database string `json:"database"`
	Word     string `json:"word"` // in lower case
}

// words returns what databases say, each word once, sorted.
func words(stated []match.Severity) []Word {
	found := []Word{}
	for _, s := range stated {
		// Vectors have a type too (OSV schema, severity[].type field).
		if strings.HasPrefix(s.Type, "CVSS") {
			continue
		}
		// Debian's tracker marks what it has guessed with asterisks.
		if word := strings.ToLower(strings.Trim(s.Score, "* ")); word != "" {
			found = append(found, Word{s.Type, word})
		}
	}
	slices.SortFunc(found, func(a, b Word) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Word, b.Word))
	})
	return slices.Compact(found)
}

// WordOf returns the word of the database for that ecosystem, with or without
// release: the worst if it has several, empty if it has none.
func (a Assessment) WordOf(ecosystem string) string {
	word := ""
	for _, w := range a.Words {
		if w.Database == match.Base(ecosystem) && (word == "" || rateWord(w.Word).Rank() > rateWord(word).Rank()) {
			word = w.Word
		}
	}
	return word
}

// ratings are the words that mean a severity. Debian: urgencies of its security
// tracker; Ubuntu: priorities (https://ubuntu.com/security/cves/about#priority);
// the errata of Red Hat and of those who rebuild it: impacts
// (https://access.redhat.com/security/updates/classification); GitHub: severities.
// What is not here, such as Debian's "end-of-life" and Ubuntu's "untriaged", says
// nothing of how bad it is.
var ratings = map[string]Severity{
	"critical":    Critical,
	"high":        High,
	"important":   High,
	"medium":      Medium,
	"moderate":    Medium,
	"low":         Low,
	"negligible":  Low,
	"unimportant": Low,
}

// rateWord returns Unknown for a word that means no severity.
func rateWord(word string) Severity { return cmp.Or(ratings[word], Unknown) }
