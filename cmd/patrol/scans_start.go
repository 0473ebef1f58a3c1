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

// awaitEvery is how often the console is asked how far scans are.
const awaitEvery = time.Second

// await returns the scans as they ended.
func await(ctx context.Context, c *client.Client, scans []scan.Scan, progress io.Writer) ([]scan.Scan, error) {
	line := report.NewProgress(progress)
	defer line.Done()
	done := slices.Clone(scans)
	for {
		going, err := unfinished(ctx, c)
		if err != nil {
			return nil, interrupted(ctx, err)
		}
		ended, failed := 0, 0
		for i, s := range done {
			if !s.Finished() && !going[s.ID] {
				if err := c.Do(ctx, http.MethodGet, "scans/"+url.PathEscape(s.ID), nil, &done[i]); err != nil {
					return nil, interrupted(ctx, err)
				}
			}
			if done[i].Finished() {
				ended++
			}
			if done[i].Finished() && done[i].State != scan.Complete {
				failed++
			}
		}
		line.Phase(bar(ended, failed, len(done)))
		if ended == len(done) {
			return done, nil
		}
		select {
		case <-ctx.Done():
			return nil, interrupted(ctx, ctx.Err())
		case <-time.After(awaitEvery):
		}
	}
}

// interrupted says what became of scans that nobody waits for any more.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; the scans go on")
	}
	return err
}

// unfinished returns the scans that go on, of all nodes.
func unfinished(ctx context.Context, c *client.Client) (map[string]bool, error) {
	going := make(map[string]bool)
	for _, state := range []string{scan.Queued, scan.Collecting, scan.Matching} {
		for s, err := range client.List[scan.Scan](ctx, c, "scans", url.Values{"state": {state}}) {
			if err != nil {
				return nil, err
			}
			going[s.ID] = true
		}
	}
	return going, nil
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
