package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
)

func usersCommand() *cobra.Command {
	var a admin
	cmd := &cobra.Command{Use: "users", Short: "Who may use the console"}
	a.flags(cmd)
	var user auth.NewUser
	invite := &cobra.Command{
		Use: "invite NAME", Short: "Invite a user, or again one who lost the password; print the invitation", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			user.Username = args[0]
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			var invited auth.Invitation
			known, err := findUser(cmd, c, args[0])
			switch {
			case errors.Is(err, errNoUser):
				err = c.Do(cmd.Context(), http.MethodPost, "users", user, &invited)
			case err == nil:
				err = c.Do(cmd.Context(), http.MethodPost, "users/"+known.ID+"/invitation", nil, &invited)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), invited.Token)
			return err
		},
	}
	invite.Flags().StringVar((*string)(&user.Role), "role", "viewer", "viewer, operator or admin; one who is there already keeps theirs")
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Delete a user, and end their sessions", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			known, err := findUser(cmd, c, args[0])
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodDelete, "users/"+known.ID, nil, nil)
		},
	}
	cmd.AddCommand(invite, remove, listAs(&a, "users", "List users", nil, []column[auth.Account]{
		{"ID", func(u auth.Account) string { return u.ID }},
		{"NAME", func(u auth.Account) string { return u.Username }},
		{"ROLE", func(u auth.Account) string { return string(u.Role) }},
		{"STATE", func(u auth.Account) string { return u.State }},
		{"SIGNS IN BY", func(u auth.Account) string { return u.SignIn }},
		{"LAST SIGN-IN", func(u auth.Account) string { return moment(u.LastSignIn) }},
	}))
	return cmd
}

var errNoUser = errors.New("there is no such user: patrol users list shows who there is")

func findUser(cmd *cobra.Command, c *client.Client, name string) (auth.Account, error) {
	for user, err := range client.List[auth.Account](cmd.Context(), c, "users", nil) {
		if err != nil || user.Username == name {
			return user, err
		}
	}
	return auth.Account{}, fmt.Errorf("%s: %w", name, errNoUser)
}

func auditCommand() *cobra.Command {
	var a admin
	cmd := &cobra.Command{Use: "audit", Short: "Who changed what"}
	a.flags(cmd)
	cmd.AddCommand(listAs(&a, "audit", "List changes, newest first", []filter{
		{"actor", "only by this user or token, by name or id"}, {"action", "only this, such as schedule.edited"}, {"subject", "only of what has this id"},
	}, []column[audit.Entry]{
		{"TIME", func(e audit.Entry) string { return moment(e.Time) }},
		{"ACTOR", func(e audit.Entry) string { return cmp.Or(e.Actor.Name, e.Actor.Kind) }},
		{"ADDRESS", func(e audit.Entry) string { return orDash(e.Address) }},
		{"ACTION", func(e audit.Entry) string { return e.Action }},
		{"SUBJECT", func(e audit.Entry) string { return orDash(cmp.Or(e.Subject.Name, e.Subject.ID)) }},
	}))
	return cmd
}

func orDash(text string) string { return cmp.Or(text, "-") }
