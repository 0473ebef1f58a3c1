package feed

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/risk"
)

// decodeKEV reads CISA's catalogue of known exploited vulnerabilities
// (https://www.cisa.gov/known-exploited-vulnerabilities-catalog).
func decodeKEV(_ context.Context, file string, keep keeper) (asOf time.Time, err error) {
	content, err := openContent(file)
	if err != nil {
		return asOf, err
	}
	defer content.Close()
	announced, found := -1, 0
	err = readObject(content, func(name string, s *stream) error {
		switch name {
		case "dateReleased":
			return s.Decode(&asOf)
		case "count":
			return s.Decode(&announced)
		case "vulnerabilities":
			return s.each(func() error {
				var entry struct {
					CVE        string `json:"cveID"`
					Added      string `json:"dateAdded"`
					Due        string `json:"dueDate"`
					Ransomware string `json:"knownRansomwareCampaignUse"`
				}
				if err := s.Decode(&entry); err != nil {
					return err
				}
				found++
				return keep(entry.CVE, risk.Intelligence{KEV: &risk.KEV{
					Listed: true, Added: entry.Added, Due: entry.Due, Ransomware: entry.Ransomware == "Known",
				}})
			})
		}
		return s.skip()
	})
	switch {
	case err != nil:
		return asOf, err
	case asOf.IsZero():
		return asOf, fmt.Errorf("it has no dateReleased: this is no catalogue of known exploited vulnerabilities")
	case announced != found:
		return asOf, fmt.Errorf("it announces %d vulnerabilities and has %d", announced, found)
	}
	return asOf, nil
}
