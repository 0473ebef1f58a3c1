package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/notify"
	"patrol/internal/report"
)

func deliveriesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "deliveries", Short: "What was sent, what was answered, and what was given up"}
	r.flags(cmd)
	cmd.AddCommand(listDeliveriesCommand(&r), getDeliveryCommand(&r), redeliverCommand(&r))
	return cmd
}

func listDeliveriesCommand(r *remote) *cobra.Command {
	var output, integration, rule, state string
	var most int
	cmd := &cobra.Command{
		Use: "list", Short: "List deliveries, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := r.client()
			if err != nil {
				return err
			}
			query := url.Values{}
			for _, by := range []struct {
				noun
				named string
			}{{anIntegration, integration}, {aRule, rule}} {
				if by.named == "" {
					continue
				}
				id, err := idOf(ctx, c, by.resource, by.what, by.named)
				if err != nil {
					return err
				}
				query.Set(by.what, id)
			}
			if state != "" {
				query.Set("state", state)
			}
			names, err := namesOf(ctx, c)
			if err != nil {
				return err
			}
			return showList(cmd.OutOrStdout(), output, upTo(most, client.List[notify.Delivery](ctx, c, "deliveries", query)), deliveryColumns(names))
		},
	}
	f := cmd.Flags()
	f.StringVar(&integration, "integration", "", "only to the integration of this name or id")
	f.StringVar(&rule, "rule", "", "only of the rule of this name or id")
	f.StringVar(&state, "state", "", "only pending, delivered, dead or superseded")
	f.IntVar(&most, "limit", 0, "how many at most; 0 for all")
	outputFlag(cmd, &output)
	return cmd
}

// namesOf are the names of integrations by their ids.
func namesOf(ctx context.Context, c *client.Client) (map[string]string, error) {
	names := make(map[string]string)
	for i, err := range client.List[notify.Integration](ctx, c, "integrations", nil) {
		if err != nil {
			return nil, err
		}
		names[i.ID] = i.Name
	}
	return names, nil
}

func deliveryColumns(integrations map[string]string) []column[notify.Delivery] {
	return []column[notify.Delivery]{
		{"ID", func(d notify.Delivery) string { return d.ID }},
		{"AT", func(d notify.Delivery) string { return moment(d.CreatedAt) }},
		{"INTEGRATION", func(d notify.Delivery) string { return integrations[d.Integration] }},
		{"ACTION", func(d notify.Delivery) string { return string(d.Action) }},
		{"TITLE", func(d notify.Delivery) string { return d.Title }},
		{"STATE", func(d notify.Delivery) string {
			if d.State == notify.Pending {
				return "pending, due " + moment(d.DueAt)
			}
			return d.State
		}},
		{"ATTEMPTS", func(d notify.Delivery) string { return strconv.Itoa(d.Attempts) }},
		{"REF", func(d notify.Delivery) string { return orDash(d.Ref) }},
		{"ERROR", func(d notify.Delivery) string { return orDash(d.Error) }},
	}
}

// tellDelivery tells of one, with every attempt.
func tellDelivery(w io.Writer, d notify.DeliveryLog) {
	fmt.Fprintf(w, "Delivery %s is %s: %s\n", d.ID, d.State, report.Clean(d.Title))
	fmt.Fprintf(w, "%s of %s, made at %s\n", d.Action, report.Clean(d.Key), moment(d.CreatedAt))
	if d.Ref != "" {
		fmt.Fprintln(w, "The far side calls it", report.Clean(d.Ref))
	}
	if !d.DueAt.IsZero() {
		fmt.Fprintln(w, "It is due at", moment(d.DueAt))
	}
	for _, a := range d.Log {
		fmt.Fprintf(w, "Attempt %d at %s took %.0f ms: %s\n", a.Number, moment(a.At), a.Took, report.Clean(outcome(a)))
		said(w, a.Request, a.Response)
	}
}

func outcome(a notify.DeliveryAttempt) string {
	if a.Error == "" {
		return "taken"
	}
	return a.Error
}

func getDeliveryCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "get DELIVERY", Short: "Show a delivery, with what was sent and answered", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodGet, "deliveries/"+url.PathEscape(args[0]), nil, tellDelivery)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func redeliverCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "redeliver DELIVERY", Short: "Send a delivery once more that was given up", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "deliveries/"+url.PathEscape(args[0])+"/redeliver", nil, tellDelivery)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
