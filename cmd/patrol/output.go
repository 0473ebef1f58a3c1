package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"patrol/internal/report"
)

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "table", "table, json or yaml")
}

// show writes a value in the format that --output names.
func show(w io.Writer, output string, value any, table func(io.Writer)) error {
	switch output {
	case "table":
		table(w)
		return nil
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(value)
	case "yaml":
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	default:
		return fmt.Errorf("--output %q is none of table, json, yaml", output)
	}
}

// column is one of a list's table.
type column[T any] struct {
	title string
	text  func(T) string
}

// showList writes a list that may have many pages.
func showList[T any](w io.Writer, output string, items iter.Seq2[T, error], columns []column[T]) error {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return err
		}
		all = append(all, item)
	}
	return show(w, output, all, func(w io.Writer) {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = c.title
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
		for _, item := range all {
			for i, c := range columns {
				cells[i] = report.Clean(c.text(item)) // an agent chose its node's name
			}
			fmt.Fprintln(table, strings.Join(cells, "\t"))
		}
		_ = table.Flush()
	})
}

// each is a list as pages have it.
func each[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// cleanLines is a text of several lines for a terminal, all but the first behind an
// indent.
func cleanLines(text, indent string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		line = report.Clean(strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", "  "))
		if i > 0 && line != "" {
			line = indent + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// upTo ends a list after so many; 0 is never.
func upTo[T any](most int, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for item, err := range items {
			if n++; !yield(item, err) || n == most {
				return
			}
		}
	}
}
