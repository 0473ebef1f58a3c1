package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"patrol/internal/collect/image"
	"patrol/internal/feed"
	"patrol/internal/policy"
	"patrol/internal/report"
)

func scanCommand() *cobra.Command {
	var dir string
	var outputs []string
	var rules policyFlags
	var options report.TargetOptions
	cmd := &cobra.Command{
		Use:   "scan TARGET",
		Short: "Scan a target on this machine, without a console",
		Long: `Scan a target on this machine, without a console. TARGET is one of
` + report.Kinds() + `, or a path.

It ends with 0 if all went well, with 1 if it could not be done, and with 2 if it
was done and --fail-on or --fail-when says fail.

--fail-when is an expression of CEL that is true for what must not be. It sees
  findings  a list; each has vulnerability, aliases, severity, score, package,
            version, fixed (a list), ecosystem, kev and epss
  counts    malicious, critical, high, medium, low, unknown
and has all, exists, filter, map, size and sum.`,
		Example: `  patrol scan dir:/srv/app --output json
  patrol scan dir:/ --output table --output sarif=patrol.sarif --fail-on critical
  patrol scan sbom:app.cdx.json --ignore ignore.yaml \
    --fail-when 'findings.exists(f, f.kev || f.score >= 9.0 && size(f.fixed) > 0)'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			debug.SetMemoryLimit(scanMemory)
			// What is wrong with the flags is told before anything is read.
			rules, err := rules.compile()
			if err != nil {
				return err
			}
			target, err := report.ParseTarget(args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			debug.SetGCPercent(garbage(target))
			out, err := report.OpenOutputs(outputs, cmd.OutOrStdout(), report.Options{Color: report.Colorful(cmd.OutOrStdout())})
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, out.Close()) }()
			store, err := openFeed(dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			return runScan(cmd, target, options, store, rules, out)
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "patrol-data", "directory with the feed")
	cmd.Flags().StringArrayVarP(&outputs, "output", "o", []string{"table"}, "FORMAT[=FILE], several times; FORMAT is one of "+report.Formats())
	cmd.Flags().StringVar(&options.Platform, "platform", "", "of an image that was built for several, such as linux/arm64")
	cmd.Flags().BoolVar(&options.Verify, "verify", false, "compare the layers of an archive with their digests; those of a registry always are")
	rules.flags(cmd)
	return cmd
}

// scanMemory is what a scan's collector of garbage works towards, in bytes: a
// target can be made to take two thirds of it, twice if what it took first is still
// lying about.
const scanMemory = 384 << 20

// garbage is how much of it, as a percentage of what is in use, a scan lets lie. The
// index of an image is in use, so there it is less.
func garbage(t report.Target) int {
	if t.Kind == image.Dir {
		return 150
	}
	return 75
}

// runScan scans, writes, and says what the policy says.
func runScan(cmd *cobra.Command, target report.Target, options report.TargetOptions, store *feed.Store, rules *report.Policy, out *report.Outputs) (err error) {
	defer func() {
		if err != nil && cmd.Context().Err() != nil {
			// main takes a cancelled context for a good end; nothing was scanned here.
			err = errors.New("interrupted before the scan was complete")
		}
	}()
	progress := report.NewProgress(cmd.ErrOrStderr())
	defer progress.Done()
	progress.Phase("opening the feed")
	revision, err := store.Current(cmd.Context())
	if err != nil {
		return err
	}
	known, err := store.Intelligence(cmd.Context())
	if err != nil {
		return err
	}
	progress.Phase("collecting")
	options.Progress = progress.Collect
	options.Collected = func() { progress.Phase("matching") }
	result, err := report.Scan(cmd.Context(), target, options, revision, known)
	progress.Done()
	if err := cmp.Or(err, cmd.Context().Err()); err != nil {
		return err
	}
	notes := rules.Apply(result)
	more, verdict := rules.Judge(result)
	for _, note := range append(notes, more...) {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", note)
	}
	if err := out.Write(result); err != nil {
		return err
	}
	return verdict
}

// policyFlags are what --fail-on, --fail-when, --ignore and --only-fixed say.
type policyFlags struct {
	failOn           string
	failWhen, ignore []string
	onlyFixed        bool
}

func (p *policyFlags) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.failOn, "fail-on", "", "end with 2 if there is a finding of this severity or a worse one")
	f.StringArrayVar(&p.failWhen, "fail-when", nil, "end with 2 if this CEL expression is true; several times")
	f.StringArrayVar(&p.ignore, "ignore", nil, "file of findings to ignore: a YAML list of id, package, until and reason, or OpenVEX; several times")
	f.BoolVar(&p.onlyFixed, "only-fixed", false, "ignore what no fix is known for")
}

func (p *policyFlags) compile() (*report.Policy, error) {
	rules := &report.Policy{OnlyFixed: p.onlyFixed}
	var err error
	if p.failOn != "" {
		if rules.FailOn, err = policy.ParseFailOn(p.failOn); err != nil {
			return nil, fmt.Errorf("--fail-on: %w", err)
		}
	}
	for _, text := range p.failWhen {
		compiled, err := policy.CompileFailWhen(text)
		if err != nil {
			return nil, fmt.Errorf("--fail-when: %w", err)
		}
		rules.FailWhen = append(rules.FailWhen, compiled)
	}
	for _, file := range p.ignore {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--ignore: %w", err)
		}
		parsed, err := policy.ParseIgnores(file, data)
		if err != nil {
			return nil, fmt.Errorf("--ignore: %w", err)
		}
		rules.Ignores = append(rules.Ignores, parsed)
	}
	return rules, nil
}
