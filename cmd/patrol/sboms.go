package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/fleet"
	"patrol/internal/report"
	"patrol/internal/scan"
)

func sbomsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "sboms", Short: "SBOMs of what has no agent"}
	r.flags(cmd)
	cmd.AddCommand(uploadCommand(&r))
	return cmd
}

func uploadCommand(r *remote) *cobra.Command {
	var of fleet.Upload
	var wait bool
	var output string
	cmd := &cobra.Command{
		Use:   "upload FILE",
		Short: "Upload an SBOM to a console, which keeps watch over it",
		Long: `Upload an SBOM to a console. The name and the kind say which node it is of: the
first upload makes the node, the next ones say what it has now. - is the standard
input.

CycloneDX 1.2 to 1.6 (JSON, XML), SPDX 2.2 and 2.3 (JSON, tag-value), Syft's JSON
and Patrol's own are read, up to 64 MiB.`,
		Example: "  patrol sboms upload web.cdx.json --name registry.example/web:1.2 --label team=web --wait",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			accepted, err := upload(cmd, c, of, args[0])
			if err != nil {
				return err
			}
			if wait {
				return waitForScan(cmd, c, accepted.Scan, output)
			}
			return show(cmd.OutOrStdout(), output, accepted, func(w io.Writer) {
				fmt.Fprintf(w, "Scan %s of node %s: %d components, %d of which nothing is known\n",
					accepted.Scan, accepted.Node, accepted.Components+accepted.Warnings, accepted.Warnings)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&of.Name, "name", "", "name of the node")
	f.StringVar(&of.Kind, "kind", fleet.Image, "host, container or image")
	f.StringToStringVar(&of.Labels, "label", nil, "k=v, several times or separated by commas; they replace those of the upload before")
	f.BoolVar(&wait, "wait", false, "wait for the scan, and fail if it does")
	outputFlag(cmd, &output)
	_ = cmd.MarkFlagRequired("name") // fails only for a flag that is not there
	return cmd
}

func upload(cmd *cobra.Command, c *client.Client, of fleet.Upload, name string) (scan.Accepted, error) {
	if name == "-" {
		return c.Upload(cmd.Context(), of, cmd.InOrStdin())
	}
	file, err := os.Open(name)
	if err != nil {
		return scan.Accepted{}, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return c.Upload(cmd.Context(), of, file)
}

// waitForScan waits for the end of a scan and shows it.
func waitForScan(cmd *cobra.Command, c *client.Client, id, output string) error {
	var s scan.Scan
	for {
		if err := c.Do(cmd.Context(), http.MethodGet, "scans/"+id, nil, &s); err != nil {
			return err
		}
		if s.Finished() {
			break
		}
		if err := sleep(cmd.Context(), 500*time.Millisecond); err != nil {
			return err
		}
	}
	if s.State != scan.Complete {
		return fmt.Errorf("scan %s is %s: %s", id, s.State, s.Error)
	}
	return show(cmd.OutOrStdout(), output, s, func(w io.Writer) {
		fmt.Fprintf(w, "Scan %s of %s: %s\n", id, report.Clean(s.Node.Name), report.Counts(s.Counts))
	})
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
