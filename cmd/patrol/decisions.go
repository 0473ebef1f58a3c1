package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/finding"
	"patrol/internal/report"
)

func decisionsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "decisions", Short: "What does not count, and why"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "decisions", "List decisions, newest first", []filter{
		{"vulnerability", "only about this one, such as CVE-2024-28757"},
		{"status", "only not_affected, false_positive or risk_accepted"},
		{"state", "active, expired or all; active unless told otherwise"},
	}, []column[finding.Decision]{
		{"ID", func(d finding.Decision) string { return d.ID }},
		{"VULNERABILITY", func(d finding.Decision) string { return d.Vulnerability }},
		{"STATUS", func(d finding.Decision) string { return d.Status }},
		{"ABOUT", func(d finding.Decision) string { return cmp.Or(d.Component, d.Package, "any package") }},
		{"ON", nodesOf},
		{"UNTIL", func(d finding.Decision) string {
			if d.Until == nil {
				return "-"
			}
			return moment(*d.Until)
		}},
		{"OCCURRENCES", func(d finding.Decision) string { return strconv.Itoa(d.Occurrences) }},
		{"AUTHOR", func(d finding.Decision) string { return d.Author }},
		{"REASON", func(d finding.Decision) string { return d.Reason }},
	}), decideCommand(&r), revokeCommand(&r), importDecisionsCommand(&r), exportDecisionsCommand(&r))
	return cmd
}

// nodesOf tells which nodes a decision is about.
func nodesOf(d finding.Decision) string {
	switch {
	case d.Node != "":
		return "node " + d.Node
	case d.Selector != "":
		return d.Selector
	}
	return "all nodes"
}

func decideCommand(r *remote) *cobra.Command {
	var request finding.DecisionRequest
	var until, output string
	cmd := &cobra.Command{
		Use:   "create VULNERABILITY",
		Short: "Decide that occurrences do not count",
		Long: `Decide that occurrences of a vulnerability do not count: at once, and until the
decision is revoked or ends. It is about all nodes, unless --node or --selector
says otherwise, and about all packages, unless --package or --component does.`,
		Example: `  patrol decisions create CVE-2024-28757 --status risk_accepted --until 2026-12-31 --reason "patched in the next image"
  patrol decisions create CVE-2023-44487 --status not_affected --justification vulnerable_code_not_present \
    --component pkg:golang/golang.org/x/net@0.7.0 --selector 'node.labels.team == "web"' --reason "no HTTP/2 server"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request.Vulnerability = args[0]
			var err error
			if request.Until, err = dayOrMoment(until); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			var d finding.Decision
			if err := c.Do(cmd.Context(), http.MethodPost, "decisions", request, &d); err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), output, d, func(w io.Writer) {
				fmt.Fprintf(w, "Decision %s: %d occurrences of %s do not count\n", d.ID, d.Occurrences, report.Clean(d.Vulnerability))
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&request.Status, "status", "", "not_affected, false_positive or risk_accepted")
	f.StringVar(&request.Reason, "reason", "", "why")
	f.StringVar(&request.Justification, "justification", "", "of not_affected: one of OpenVEX's, such as vulnerable_code_not_present")
	f.StringVar(&request.Package, "package", "", "only in this package, as the advisories name it")
	f.StringVar(&request.Component, "component", "", "only in the component of this purl, at its version if it has one")
	f.StringVar(&request.Node, "node", "", "only on the node of this id")
	f.StringVar(&request.Selector, "selector", "", "only on the nodes that this CEL expression means")
	f.StringVar(&until, "until", "", "a day, which counts in full in UTC, or a moment; risk_accepted needs it")
	for _, name := range []string{"status", "reason"} {
		_ = cmd.MarkFlagRequired(name) // it is there
	}
	outputFlag(cmd, &output)
	return cmd
}

// dayOrMoment reads when something ends; nil for never.
func dayOrMoment(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		end := day.AddDate(0, 0, 1)
		return &end, nil
	}
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("--until %q is no day such as 2026-12-31, and no moment such as 2026-12-31T12:00:00Z", text)
	}
	return &end, nil
}

func revokeCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "revoke DECISION", Short: "Revoke a decision: what it is about counts again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodDelete, "decisions/"+url.PathEscape(args[0]), nil, nil)
		},
	}
}

func importDecisionsCommand(r *remote) *cobra.Command {
	var scope finding.VEXScope
	var output string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make decisions of an OpenVEX document",
		Long: `Make decisions of an OpenVEX document: one of each statement that a product is not
affected. - is the standard input. A purl with a version means that version alone.
To import a document again changes nothing; what of it was not used is told, with
the reason.

What a document says of parts of a product, an image for example, is used only
with --node or --selector, which say where that product is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			file := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				file = f
			}
			came, err := c.ImportVEX(cmd.Context(), scope, file)
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), output, came, func(w io.Writer) {
				fmt.Fprintf(w, "%d decisions made, %d were there already, %d could not be used\n", len(came.Created), len(came.Present), len(came.Unused))
				for _, u := range came.Unused {
					fmt.Fprintf(w, "  statement %d, %s in %s: %s\n", u.Statement, report.Clean(u.Vulnerability), report.Clean(cmp.Or(u.Product, "nothing")), report.Clean(u.Reason))
				}
			})
		},
	}
	cmd.Flags().StringVar(&scope.Node, "node", "", "the document is about the node of this id")
	cmd.Flags().StringVar(&scope.Selector, "selector", "", "the document is about the nodes that this CEL expression means")
	outputFlag(cmd, &output)
	return cmd
}

func exportDecisionsCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Write the decisions that hold as an OpenVEX document", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			var document json.RawMessage
			if err := c.Do(cmd.Context(), http.MethodGet, "decisions/openvex", nil, &document); err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), "json", document, nil)
		},
	}
}
