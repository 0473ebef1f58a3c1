package risk

import "time"

// Intelligence is what is known of a vulnerability beside its advisories. It
// comes by CVE, and each part of it is absent where no source tells.
type Intelligence struct {
	// CVSS are vectors with who gave them: a CNA's name, "CISA-ADP" or "NVD".
	CVSS []Vector `json:"cvss,omitempty"`
	SSVC *SSVC    `json:"ssvc,omitempty"`
	EPSS *EPSS    `json:"epss,omitempty"`
	// KEV is nil where no catalogue was asked, which is not the same as one that
	// does not list the vulnerability.
	KEV *KEV `json:"kev,omitempty"`
}

// NVD is the source of vectors that count only where nobody else gives one.
const NVD = "NVD"

// Vector is a CVSS vector and who gave it.
type Vector struct {
	Vector string `json:"vector"`
	Source string `json:"source"`
}

// SSVC are the values of CISA's decision points
// (https://www.cisa.gov/ssvc-calculator), as CISA writes them.
type SSVC struct {
	// Where nothing was decided the API says null.
	_ struct{} `nullable:"true"`

	Exploitation    string    `json:"exploitation"`     // none, poc, active
	Automatable     string    `json:"automatable"`      // no, yes
	TechnicalImpact string    `json:"technical_impact"` // partial, total
	Timestamp       time.Time `json:"timestamp,omitzero"`
}

// EPSS is the probability that the vulnerability is exploited within thirty days
// (https://www.first.org/epss/model).
type EPSS struct {
	Score      float64   `json:"score"`      // 0 to 1
	Percentile float64   `json:"percentile"` // 0 to 1: the share of CVEs with a lower score
	Date       time.Time `json:"date,omitzero"`
}

// KEV is what CISA's catalogue of known exploited vulnerabilities says.
type KEV struct {
	Listed bool `json:"listed"`
	// Added and Due are days, such as 2025-08-25.
	Added string `json:"added,omitempty"`
	Due   string `json:"due,omitempty"`
	// Ransomware says that it is known to be used in ransomware campaigns.
	Ransomware bool `json:"ransomware,omitempty"`
}

// Known tells whether the vulnerability is listed: nil where nobody was asked.
func (k *KEV) Known() *bool {
	if k == nil {
		return nil
	}
	return &k.Listed
}

// Probability is the score alone: nil where there is none.
func (e *EPSS) Probability() *float64 {
	if e == nil {
		return nil
	}
	return &e.Score
}
