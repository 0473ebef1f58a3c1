package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"patrol/internal/notify"
	"patrol/internal/platform/secret"
)

func secretsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secrets", Short: "The key by which secrets of integrations are sealed"}
	cmd.AddCommand(rotateCommand(), newKeyCommand())
	return cmd
}

func rotateCommand() *cobra.Command {
	var r remote
	var output string
	cmd := &cobra.Command{
		Use: "rotate", Short: "Seal all secrets by a new key", Args: cobra.NoArgs,
		Long: `Seal all secrets by a new key. A console that keeps its key in --data-dir makes one,
and drops the old one once nothing is sealed by it. Where PATROL_SECRETS_KEY gives
the keys, all is sealed by the first of them.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), &r, cmd.OutOrStdout(), output, http.MethodPost, "secrets/rotate", nil, func(w io.Writer, done notify.Rotated) {
				fmt.Fprintf(w, "The secrets of %d integrations were sealed anew\n", done.Sealed)
			})
		},
	}
	r.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func newKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "new-key", Short: "Make a key for PATROL_SECRETS_KEY and print it", Args: cobra.NoArgs,
		Long: `Make a key for PATROL_SECRETS_KEY and print it, as age-keygen does: a comment with
its public part, by which keys are told apart, and the key, which is secret. It is
kept nowhere.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := secret.NewKey()
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), key)
			return err
		},
	}
}
