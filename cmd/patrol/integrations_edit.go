package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/notify"
)

// fields are the flags that say an integration's settings.
type fields struct{ values, files []string }

func (f *fields) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.values, "set", nil, "the value of a field, as FIELD=VALUE; several times. Not for secrets, which others see in the list of processes")
	cmd.Flags().StringArrayVar(&f.files, "set-file", nil, "the file that holds a field's value, as FIELD=FILE, or FIELD=- for the standard input; several times")
}

// settings reads what was given.
func (f *fields) settings(stdin io.Reader) (notify.Settings, error) {
	settings := notify.Settings{}
	set := func(flag, given string, value func(string) (string, error)) error {
		name, text, ok := strings.Cut(given, "=")
		if !ok || name == "" {
			return fmt.Errorf("%s wants FIELD=…: patrol integrations kinds KIND lists the fields", flag) // what was given may be a secret
		}
		if _, twice := settings[name]; twice {
			return fmt.Errorf("the field %s is given twice", name)
		}
		text, err := value(text)
		settings[name] = text
		return err
	}
	for _, given := range f.values {
		if err := set("--set", given, func(text string) (string, error) { return text, nil }); err != nil {
			return nil, err
		}
	}
	taken := false
	for _, given := range f.files {
		err := set("--set-file", given, func(file string) (string, error) {
			if file == "-" && taken {
				return "", fmt.Errorf("--set-file %s: the standard input holds one value, which another field has", given)
			}
			taken = taken || file == "-"
			return fileValue(file, stdin)
		})
		if err != nil {
			return nil, err
		}
	}
	return settings, nil
}

// valueLimit is how many bytes the value of a field may have.
const valueLimit = 1 << 20

// fileValue is what a file holds, without the line's end that editors put there.
func fileValue(path string, stdin io.Reader) (string, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("--set-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, valueLimit+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("--set-file %s: %w", path, err)
	case len(text) > valueLimit:
		return "", fmt.Errorf("--set-file %s: it holds more than 1 MiB, which no field takes", path)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func addIntegrationCommand(r *remote) *cobra.Command {
	var f fields
	var n notify.NewIntegration
	var output string
	cmd := &cobra.Command{
		Use: "add KIND", Short: "Add an integration", Args: cobra.ExactArgs(1),
		Long: "Add an integration. patrol integrations kinds KIND lists the fields of a kind. Nothing\nis contacted: patrol integrations test does that.",
		Example: `  patrol integrations add slack --name security --set-file webhook_url=webhook.txt
  pass show hooks/patrol | patrol integrations add http --name hook --set-file url=- --set method=PUT`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			n.Kind = args[0]
			if n.Settings, err = f.settings(cmd.InOrStdin()); err != nil {
				return err
			}
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "integrations", n, tellIntegration)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&n.Name, "name", "", "what it is called")
	cmd.Flags().IntVar(&n.PerMinute, "per-minute", 0, "how many deliveries in a minute at most, from each console; 0 for any number")
	cmd.Flags().BoolVar(&n.Disabled, "disabled", false, "add it disabled")
	_ = cmd.MarkFlagRequired("name") // it is there
	outputFlag(cmd, &output)
	return cmd
}

func editIntegrationCommand(r *remote) *cobra.Command {
	var f fields
	var output, name string
	var perMinute int
	var s onOff
	cmd := &cobra.Command{
		Use: "edit INTEGRATION", Short: "Change an integration; what is not given stays", Args: cobra.ExactArgs(1),
		Example: `  patrol integrations edit security --set-file webhook_url=new.txt
  patrol integrations edit hook --set ca= --disable`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			change := notify.IntegrationChange{Enabled: s.change()}
			if change.Settings, err = f.settings(cmd.InOrStdin()); err != nil {
				return err
			}
			if cmd.Flags().Changed("name") {
				change.Name = &name
			}
			if cmd.Flags().Changed("per-minute") {
				change.PerMinute = &perMinute
			}
			return askNamed(cmd.Context(), r, anIntegration, cmd.OutOrStdout(), output, http.MethodPatch, args[0], "", change, tellIntegration)
		},
	}
	f.flags(cmd)
	s.flags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "another name")
	cmd.Flags().IntVar(&perMinute, "per-minute", 0, "how many deliveries in a minute at most, from each console; 0 for any number")
	outputFlag(cmd, &output)
	return cmd
}

// onOff are the flags that enable or disable something.
type onOff struct{ on, off bool }

func (s *onOff) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.on, "enable", false, "enable it")
	cmd.Flags().BoolVar(&s.off, "disable", false, "disable it")
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
}

// change is what was asked for; nil if neither was.
func (s *onOff) change() *bool {
	if !s.on && !s.off {
		return nil
	}
	return &s.on
}
