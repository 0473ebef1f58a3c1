package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/fleet"
)

func labelCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "label NODE NAME=VALUE|NAME- …",
		Short:   "Set labels of a node by hand, or remove them",
		Long:    "Set labels of a node by hand, or remove them. They win over those of the same name\nthat its agent, its cluster or its cloud gives it.",
		Example: "  patrol nodes label 0199f3c2-… env=production team-",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := fleet.LabelChange{Set: make(map[string]string)}
			for _, arg := range args[1:] {
				if name, value, ok := strings.Cut(arg, "="); ok {
					change.Set[name] = value
				} else if name, ok := strings.CutSuffix(arg, "-"); ok {
					change.Remove = append(change.Remove, name)
				} else {
					return fmt.Errorf("%q is neither NAME=VALUE nor NAME-", arg)
				}
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodPatch, "nodes/"+url.PathEscape(args[0])+"/labels", change, nil)
		},
	}
}

func retireCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "retire NODE",
		Short: "Retire a node that is gone for good",
		Long:  "Retire a node that is gone for good: what is open on it is resolved, and its agent's\ncredential ends. If it comes back with an enrolment token, it is the same node.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodDelete, "nodes/"+url.PathEscape(args[0]), nil, nil)
		},
	}
}
