package console

import (
	"context"

	"patrol/internal/operations"
)

// retain removes what is older than the settings say.
func (c *Console) retain(ctx context.Context) { c.operations.Retain(ctx, c.sweeps()...) }

// sweeps are in the order in which things need each other: what no scan holds any
// more is no longer needed.
func (c *Console) sweeps() []operations.Sweep {
	scans := func(r operations.Retention) int { return r.Scans }
	return []operations.Sweep{
		{What: "resolved occurrences", Days: func(r operations.Retention) int { return r.Occurrences }, Before: c.findings.SweepOccurrences},
		{What: "runs", Days: scans, Before: c.schedules.Sweep},
		{What: "scans", Days: scans, Before: c.scans.Sweep},
		{What: "re-matches", Days: scans, Before: c.findings.SweepRematches},
		{What: "SBOMs", Days: scans, Before: c.fleet.SweepDocuments},
		{What: "results", Days: scans, Before: c.findings.SweepResults},
		{What: "inventories", Days: scans, Before: c.fleet.SweepInventories},
		{What: "deliveries", Days: func(r operations.Retention) int { return r.Events }, Before: c.notify.Sweep},
		{What: "entries of the audit log", Days: func(r operations.Retention) int { return r.Audit }, Before: c.audit.Sweep},
	}
}
