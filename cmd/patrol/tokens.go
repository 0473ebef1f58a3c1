package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func tokensCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "tokens", Short: "Tokens for agents, scripts and pipelines"}
	r.flags(cmd)
	var kind, name, username string
	create := &cobra.Command{
		Use: "create", Short: "Create a token and print it; it is not shown again", Args: cobra.NoArgs,
		Long: `Create a token and print it; it is not shown again. Without --token it signs in as
--username with the password in PATROL_ADMIN_PASSWORD.`,
		Example: "  PATROL_ADMIN_PASSWORD=… patrol tokens create --kind enrolment --name web-servers",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			if password := os.Getenv("PATROL_ADMIN_PASSWORD"); c.Token == "" && password != "" {
				if err := c.SignIn(cmd.Context(), username, password); err != nil {
					return err
				}
			}
			issued, err := c.CreateToken(cmd.Context(), kind, name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), issued.Token)
			return err
		},
	}
	create.Flags().StringVar(&kind, "kind", "api", "enrolment, api or ci")
	create.Flags().StringVar(&name, "name", "command line", "what it is for")
	create.Flags().StringVar(&username, "username", "admin", "who signs in, where there is no token")
	cmd.AddCommand(create)
	return cmd
}
