package policy

// Finding is what an expression sees as an element of `findings`.
type Finding struct {
	Vulnerability string   `cel:"vulnerability"`
	Aliases       []string `cel:"aliases"`
	// Severity is malicious, critical, high, medium, low or unknown.
	Severity string `cel:"severity"`
	// Score is the deciding CVSS base score, 0 to 10; 0 where there is none.
	Score   float64 `cel:"score"`
	Package string  `cel:"package"`
	Version string  `cel:"version"`
	// Fixed are the versions that fix it; empty where none is known.
	Fixed     []string `cel:"fixed"`
	Ecosystem string   `cel:"ecosystem"`
	// KEV tells whether CISA lists it as exploited, and EPSS how probable that is,
	// 0 to 1. What no source has told is false and 0; see [Verdict.Unknown].
	KEV  bool    `cel:"kev"`
	EPSS float64 `cel:"epss"`

	// Component and PURL are what --ignore asks for beside the package.
	Component string `cel:"-"`
	PURL      string `cel:"-"`
	// Advisories are the ids of the records that say so.
	Advisories []string `cel:"-"`
	// KEVKnown and EPSSKnown tell whether a source has told.
	KEVKnown, EPSSKnown bool `cel:"-"`
}

// Counts is what an expression sees as `counts`: each vulnerability once in each
// package.
type Counts struct {
	Malicious int `cel:"malicious"`
	Critical  int `cel:"critical"`
	High      int `cel:"high"`
	Medium    int `cel:"medium"`
	Low       int `cel:"low"`
	Unknown   int `cel:"unknown"`
}
