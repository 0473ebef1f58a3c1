package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/policy"
	"patrol/internal/report"
	"patrol/internal/scan"
)

func startScansCommand(r *remote) *cobra.Command {
	var selector, output string
	var wait bool
	var rules policyFlags
	cmd := &cobra.Command{
		Use: "start [NODE…]", Short: "Scan nodes now, by their ids or by a selector",
		Long: `Scan nodes now, by their ids or by a selector. A node that is being scanned already
gets no second scan.

With --wait it ends when the scans have: with 0 if all are complete, with 2 if
--fail-on or --fail-when says fail of what one of them found, and with 1 if one
failed or was cancelled. What is found is judged a node at a time.`,
		Example: `  patrol scans start --select 'node.labels["env"] == "production"' --wait --fail-on critical`,
		RunE: func(cmd *cobra.Command, args []string) error {
			policies, err := rules.compile()
			if err != nil {
				return err
			}
			if judged := rules.failOn != "" || len(rules.failWhen) > 0; judged && !wait {
				return errors.New("--fail-on and --fail-when judge what was found: add --wait")
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			var started scan.Started
			if err := c.Do(cmd.Context(), http.MethodPost, "scans", scan.StartRequest{Nodes: args, Selector: selector}, &started); err != nil {
				return err
			}
			scans := started.Items
			if wait {
				if scans, err = await(cmd.Context(), c, scans, cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			err = showList(cmd.OutOrStdout(), output, func(yield func(scan.Scan, error) bool) {
				for _, s := range scans {
					if !yield(s, nil) {
						return
					}
				}
			}, scanColumns)
			if err != nil || !wait {
				return err
			}
			return judge(cmd.Context(), c, scans, policies, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&selector, "select", "", `CEL over node, such as node.kind == "host"`)
	cmd.Flags().BoolVar(&wait, "wait", false, "until the scans have ended")
	rules.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

const (
	// awaitEvery is how often the console is asked how far scans are.
	awaitEvery = time.Second
	// awaitMost is of how many in one request, and awaitAsked in how many requests at a
	// time: of more than that some are asked of each time, in turn.
	awaitMost, awaitAsked = 100, 5
)

// await returns the scans as they ended.
func await(ctx context.Context, c *client.Client, scans []scan.Scan, progress io.Writer) ([]scan.Scan, error) {
	line := report.NewProgress(progress)
	defer line.Done()
	done := slices.Clone(scans)
	at := make(map[string]int, len(done))
	for i, s := range done {
		at[s.ID] = i
	}
	var turn []string // those to be asked of in this round
	for {
		if len(turn) == 0 {
			turn = unfinished(done)
		}
		now := turn[:min(len(turn), awaitMost*awaitAsked)]
		turn = turn[len(now):]
		for some := range slices.Chunk(now, awaitMost) {
			if err := look(ctx, c, some, func(s scan.Scan) { done[at[s.ID]] = s }); err != nil {
				return nil, interrupted(ctx, err)
			}
		}
		failed := 0
		for _, s := range done {
			if s.Finished() && s.State != scan.Complete {
				failed++
			}
		}
		going := len(unfinished(done))
		line.Phase(bar(len(done)-going, failed, len(done)))
		if going == 0 {
			return done, nil
		}
		select {
		case <-ctx.Done():
			return nil, interrupted(ctx, ctx.Err())
		case <-time.After(awaitEvery):
		}
	}
}

// look asks how far these scans are.
func look(ctx context.Context, c *client.Client, ids []string, seen func(scan.Scan)) error {
	missing := make(map[string]bool, len(ids))
	for _, id := range ids {
		missing[id] = true
	}
	for s, err := range client.List[scan.Scan](ctx, c, "scans", url.Values{"ids": {strings.Join(ids, ",")}}) {
		if err != nil {
			return err
		}
		if missing[s.ID] {
			seen(s)
			delete(missing, s.ID)
		}
		if len(missing) == 0 {
			return nil
		}
	}
	for id := range missing {
		return fmt.Errorf("scan %s is not there any more", id)
	}
	return nil
}

// unfinished returns the ids of those that go on.
func unfinished(scans []scan.Scan) (ids []string) {
	for _, s := range scans {
		if !s.Finished() {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// interrupted says what became of scans that nobody waits for any more.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; the scans go on")
	}
	return err
}

// bar draws how many of all have ended.
func bar(ended, failed, all int) string {
	const width = 30
	full := width
	if all > 0 {
		full = width * ended / all
	}
	text := fmt.Sprintf("[%s%s] %d of %d scans", strings.Repeat("#", full), strings.Repeat("-", width-full), ended, all)
	if failed > 0 {
		text += fmt.Sprintf(", %d not complete", failed)
	}
	return text
}

// judge applies the policy to what each scan found, and says what was not scanned.
func judge(ctx context.Context, c *client.Client, scans []scan.Scan, rules *report.Policy, notes io.Writer) error {
	var failure policy.Failure
	var missing []string
	for _, s := range scans {
		if s.State != scan.Complete {
			missing = append(missing, fmt.Sprintf("%s %s: %s", report.Clean(s.Node.Name), s.State, report.Clean(s.Error)))
			continue
		}
		if rules.FailOn == nil && len(rules.FailWhen) == 0 {
			continue
		}
		found := &report.Report{Head: report.Head{Target: s.Node.Name, At: time.Now()}}
		for f, err := range client.List[finding.Finding](ctx, c, "findings", url.Values{"scan": {s.ID}}) {
			if err != nil {
				return err
			}
			found.Findings = append(found.Findings, report.Finding{Finding: f})
		}
		said := rules.Apply(found)
		more, err := rules.Judge(found)
		for _, note := range append(said, more...) {
			fmt.Fprintf(notes, "warning: %s: %s\n", report.Clean(s.Node.Name), note)
		}
		var fails *policy.Failure
		switch {
		case errors.As(err, &fails):
			failure.Reasons = append(failure.Reasons, report.Clean(s.Node.Name)+": "+strings.Join(fails.Reasons, ", "))
		case err != nil:
			return err
		}
	}
	switch {
	case len(failure.Reasons) > 0:
		for _, line := range missing {
			fmt.Fprintln(notes, "warning: not scanned:", line)
		}
		return &failure
	case len(missing) > 0:
		return fmt.Errorf("%d of %d scans did not complete: %s", len(missing), len(scans), strings.Join(missing, "; "))
	}
	return nil
}
