package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/platform/auth"
)

// admin are the flags of commands for administrators. The first of them has no
// token yet.
type admin struct {
	remote
	username string
}

func (a *admin) flags(cmd *cobra.Command) {
	a.remote.flags(cmd)
	cmd.PersistentFlags().StringVar(&a.username, "username", "admin", "who signs in, where there is no token")
	cmd.Long = cmd.Short + `.

Without --token they sign in as --username with the password in
PATROL_ADMIN_PASSWORD.`
}

func (a *admin) client(ctx context.Context) (*client.Client, error) {
	c, err := a.remote.client()
	if err != nil {
		return nil, err
	}
	if password := os.Getenv("PATROL_ADMIN_PASSWORD"); c.Token == "" && password != "" {
		err = c.SignIn(ctx, a.username, password)
	}
	return c, err
}

// do makes one call as an administrator.
func (a *admin) do(ctx context.Context, method, path string, in, out any) error {
	c, err := a.client(ctx)
	if err != nil {
		return err
	}
	return c.Do(ctx, method, path, in, out)
}

func tokensCommand() *cobra.Command {
	var a admin
	cmd := &cobra.Command{Use: "tokens", Short: "Tokens for agents, scripts and pipelines"}
	a.flags(cmd)
	var token auth.NewToken
	var teams []string
	create := &cobra.Command{
		Use: "create", Short: "Create a token and print it; it is not shown again", Args: cobra.NoArgs,
		Example: "  PATROL_ADMIN_PASSWORD=… patrol tokens create --kind enrolment --name web-servers --expires-in 30",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			if token.Teams, err = teamIDs(cmd.Context(), c, teams); err != nil {
				return err
			}
			var issued auth.Issued
			if err := c.Do(cmd.Context(), http.MethodPost, "tokens", token, &issued); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), issued.Token)
			return err
		},
	}
	create.Flags().StringVar(&token.Kind, "kind", "api", "enrolment, api or ci")
	create.Flags().StringVar(&token.Name, "name", "command line", "what it is for")
	create.Flags().StringVar((*string)(&token.Role), "role", "", "viewer, operator or admin; without one an api token is an administrator's, and a ci token reads")
	create.Flags().StringArrayVar(&teams, "team", nil, "name of a team whose nodes alone it sees; several are several flags")
	create.Flags().IntVar(&token.ExpiresIn, "expires-in", 0, "days until it ends; 0 for never")
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), http.MethodDelete, "tokens/"+args[0], nil, nil)
		},
	}
	cmd.AddCommand(create, revoke, listAs(&a, "tokens", "List tokens, without their secrets", nil, []column[auth.Token]{
		{"ID", func(t auth.Token) string { return t.ID }},
		{"KIND", func(t auth.Token) string { return t.Kind }},
		{"NAME", func(t auth.Token) string { return t.Name }},
		{"ROLE", func(t auth.Token) string { return orDash(string(t.Role)) }},
		{"TEAMS", teamNames},
		{"EXPIRES", func(t auth.Token) string { return moment(t.ExpiresAt) }},
		{"LAST USED", func(t auth.Token) string { return moment(t.LastUsedAt) }},
	}))
	return cmd
}

// teamIDs returns the ids of the teams of these names.
func teamIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	known := make(map[string]string)
	for team, err := range client.List[auth.Team](ctx, c, "teams", nil) {
		if err != nil {
			return nil, err
		}
		known[team.Name] = team.ID
	}
	ids := make([]string, len(names))
	for i, name := range names {
		if ids[i] = known[name]; ids[i] == "" {
			return nil, fmt.Errorf("there is no team %q: GET /api/v1/teams shows which there are", name)
		}
	}
	return ids, nil
}

func teamNames(t auth.Token) string {
	names := make([]string, len(t.Teams))
	for i, team := range t.Teams {
		names[i] = team.Name
	}
	return orDash(strings.Join(names, ", "))
}
