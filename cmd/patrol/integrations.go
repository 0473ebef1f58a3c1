package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/notify"
	"patrol/internal/report"
)

func integrationsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "integrations", Short: "Where notifications are sent to"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "integrations", "List integrations, with how they do", nil, []column[notify.Integration]{
		{"ID", func(i notify.Integration) string { return i.ID }},
		{"NAME", func(i notify.Integration) string { return i.Name }},
		{"KIND", func(i notify.Integration) string { return i.Kind }},
		{"STATE", stateOf},
		{"PENDING", func(i notify.Integration) string { return strconv.Itoa(i.Pending) }},
		{"DEAD", func(i notify.Integration) string { return strconv.Itoa(i.Dead) }},
		{"DELIVERED", func(i notify.Integration) string { return moment(i.DeliveredAt) }},
	}), getIntegrationCommand(&r), kindsCommand(&r), addIntegrationCommand(&r), editIntegrationCommand(&r), deleteIntegrationCommand(&r),
		testIntegrationCommand(&r), redeliverIntegrationCommand(&r))
	return cmd
}

// stateOf tells how an integration does, and why not well.
func stateOf(i notify.Integration) string {
	if i.State != notify.Failing {
		return i.State
	}
	return fmt.Sprintf("failing since %s: %s", moment(i.FailingSince), i.FailingBecause)
}

// tellIntegration tells of one.
func tellIntegration(w io.Writer, i notify.Integration) {
	fmt.Fprintf(w, "Integration %s, %s (%s): %s\n", i.ID, report.Clean(i.Name), i.Kind, report.Clean(stateOf(i)))
	for _, name := range slices.Sorted(maps.Keys(i.Settings)) {
		fmt.Fprintf(w, "  %s = %s\n", name, cleanLines(i.Settings[name], "    "))
	}
	for _, name := range i.Secrets {
		fmt.Fprintf(w, "  %s is set, and secret\n", name)
	}
	if i.PerMinute > 0 {
		fmt.Fprintf(w, "At most %d deliveries a minute from each console\n", i.PerMinute)
	}
	if i.Pending+i.Dead > 0 {
		fmt.Fprintf(w, "%d deliveries wait, %d were given up\n", i.Pending, i.Dead)
	}
	if !i.ResumesAt.IsZero() {
		fmt.Fprintf(w, "It is tried again at %s\n", moment(i.ResumesAt))
	}
}

func getIntegrationCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get INTEGRATION", Short: "Show an integration, without its secrets", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askNamed(cmd.Context(), r, anIntegration, cmd.OutOrStdout(), output, http.MethodGet, args[0], "", nil, tellIntegration)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func kindsCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "kinds [KIND]", Short: "List the kinds of integration, or what one of them asks for", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			kinds := client.List[notify.KindInfo](cmd.Context(), c, "integrations/kinds", nil)
			if len(args) == 0 {
				return showList(cmd.OutOrStdout(), output, kinds, []column[notify.KindInfo]{
					{"KIND", func(k notify.KindInfo) string { return k.Name }},
					{"TITLE", func(k notify.KindInfo) string { return k.Title }},
					{"CLOSES WHAT IT OPENS", func(k notify.KindInfo) string { return yesNo(k.Tracks) }},
					{"KEEPS EVERYTHING", func(k notify.KindInfo) string { return yesNo(k.Records) }},
				})
			}
			var names []string
			for k, err := range kinds {
				if err != nil {
					return err
				}
				if k.Name == args[0] {
					return show(cmd.OutOrStdout(), output, k, func(w io.Writer) { _ = showList(w, "table", each(k.Fields), fieldColumns) })
				}
				names = append(names, k.Name)
			}
			return fmt.Errorf("there is no kind %q: there are %s", args[0], strings.Join(names, ", "))
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

var fieldColumns = []column[notify.Field]{
	{"FIELD", func(f notify.Field) string { return f.Name }},
	{"NEEDED", func(f notify.Field) string { return yesNo(f.Required) }},
	{"SECRET", func(f notify.Field) string { return yesNo(f.Secret) }},
	{"UNLESS GIVEN", func(f notify.Field) string { return orDash(f.Default) }},
	{"VALUES", func(f notify.Field) string {
		if len(f.Choices) > 0 {
			return strings.Join(f.Choices, ", ")
		}
		return orDash(f.Example)
	}},
	{"MEANS", func(f notify.Field) string { return f.Label + ". " + f.Help }},
}

func deleteIntegrationCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete INTEGRATION", Short: "Delete an integration, what waits for it, and its log", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return anIntegration.remove(cmd.Context(), r, args[0]) },
	}
}

func testIntegrationCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "test INTEGRATION", Short: "Send a notification that says it is a test", Args: cobra.ExactArgs(1),
		Long: "Send a notification that says it is a test, and show what was sent, without secrets,\nand what the far side said. It exits with 1 if that was no.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := anIntegration.find(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			var t notify.Trial
			if err := c.Do(cmd.Context(), http.MethodPost, path+"/test", nil, &t); err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), output, t, func(w io.Writer) { said(w, t.Request, t.Response) }); err != nil {
				return err
			}
			if !t.OK {
				return fmt.Errorf("integration %q did not take the test: %s", args[0], report.Clean(t.Error))
			}
			if output == "table" {
				fmt.Fprintf(cmd.OutOrStdout(), "It was taken, in %d ms\n", t.Took)
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// said shows what both sides said.
func said(w io.Writer, request, response string) {
	for _, side := range []struct{ what, text string }{{"Sent", request}, {"Answered", response}} {
		if side.text != "" {
			fmt.Fprintf(w, "%s:\n  %s\n", side.what, cleanLines(side.text, "  "))
		}
	}
}

func redeliverIntegrationCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "redeliver INTEGRATION", Short: "Send everything once more that was given up, and try at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askNamed(cmd.Context(), r, anIntegration, cmd.OutOrStdout(), output, http.MethodPost, args[0], "/redeliver", nil, tellIntegration)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
