package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

type signIn struct {
	Username string `json:"username" minLength:"1" maxLength:"200"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
}

type session struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	User      User      `json:"user"`
}

type sessionOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      session
}

type acceptance struct {
	Token    string `json:"token" minLength:"1" maxLength:"200" doc:"That of the invitation."`
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"12 characters or more."`
}

type newPassword struct {
	Old      string `json:"old" minLength:"1" maxLength:"1024"`
	Password string `json:"password" minLength:"1" maxLength:"1024" doc:"12 characters or more."`
}

type whoAmI struct {
	User User `json:"user"`
}

// Routes adds the routes of sessions, users and tokens. secure says whether cookies
// travel over TLS only.
func (s *Service) Routes(api huma.API, secure bool) {
	s.sessionRoutes(api, secure)
	s.oidcRoutes(api, secure)
	s.userRoutes(api)
	s.teamRoutes(api)
	s.tokenRoutes(api)
}

func route(id, method, path, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: "/api/v1/" + path, Summary: summary}
	op.Tags = []string{strings.Split(path, "/")[0]}
	if method == http.MethodDelete {
		op.DefaultStatus = http.StatusNoContent
	}
	return op
}

func created(op huma.Operation) huma.Operation {
	op.DefaultStatus = http.StatusCreated
	return op
}

func (s *Service) sessionRoutes(api huma.API, secure bool) {
	opened := func(user User, issued Issued, err error) (*sessionOutput, error) {
		if err != nil {
			return nil, err
		}
		return &sessionOutput{
			SetCookie: cookie(issued.Token, sessionLength, secure),
			Body:      session{issued.Token, issued.ExpiresAt, user},
		}, nil
	}
	rest.Handle(api, access.Public, route("sign-in", http.MethodPost, "session", "Sign in"),
		func(ctx context.Context, in *rest.Body[signIn]) (*sessionOutput, error) {
			return opened(s.SignIn(ctx, in.Body.Username, in.Body.Password))
		})
	rest.Handle(api, access.Public, route("accept-invitation", http.MethodPost, "session/invitation", "Choose a password with an invitation, and sign in"),
		func(ctx context.Context, in *rest.Body[acceptance]) (*sessionOutput, error) {
			return opened(s.Accept(ctx, in.Body.Token, in.Body.Password))
		})
	rest.Handle(api, access.Public, route("who-am-i", http.MethodGet, "session", "Who is signed in"),
		func(ctx context.Context, _ *struct{}) (*rest.Body[whoAmI], error) {
			p := access.From(ctx)
			if p.Role == "" {
				return nil, problem.Unknown("nobody is signed in")
			}
			return rest.JSON(whoAmI{User{p.ID, p.Name, p.Role}}, nil)
		})
	rest.Handle(api, access.Public, route("sign-out", http.MethodDelete, "session", "Sign out"),
		func(ctx context.Context, _ *struct{}) (*struct {
			SetCookie http.Cookie `header:"Set-Cookie"`
		}, error,
		) {
			if err := s.SignOut(ctx); err != nil {
				return nil, err
			}
			return &struct {
				SetCookie http.Cookie `header:"Set-Cookie"`
			}{cookie("", 0, secure)}, nil
		})
	change := route("change-password", http.MethodPut, "session/password", "Change your password; other sessions of yours end")
	change.DefaultStatus = http.StatusNoContent
	rest.Handle(api, access.Viewer, rest.Scoped(change),
		func(ctx context.Context, in *rest.Body[newPassword]) (*struct{}, error) {
			return nil, s.ChangePassword(ctx, in.Body.Old, in.Body.Password)
		})
}

func (s *Service) userRoutes(api huma.API) {
	rest.Handle(api, access.Admin, route("list-users", http.MethodGet, "users", "List users by name"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Account]], error) {
			return rest.JSON(s.Users(ctx, *in))
		})
	rest.Handle(api, access.Admin, created(route("invite-user", http.MethodPost, "users", "Invite a user")),
		func(ctx context.Context, in *rest.Body[NewUser]) (*rest.Body[Invitation], error) {
			return rest.JSON(s.Invite(ctx, in.Body))
		})
	rest.Handle(api, access.Admin, route("get-user", http.MethodGet, "users/{id}", "Get a user"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Account], error) {
			return rest.JSON(s.User(ctx, in.ID))
		})
	rest.Handle(api, access.Admin, route("edit-user", http.MethodPatch, "users/{id}", "Change a user's role, disable or enable a user"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body UserChange
		},
		) (*rest.Body[Account], error) {
			return rest.JSON(s.EditUser(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Admin, route("delete-user", http.MethodDelete, "users/{id}", "Delete a user"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) {
			return nil, s.DeleteUser(ctx, in.ID)
		})
	rest.Handle(api, access.Admin, created(route("invite-user-again", http.MethodPost, "users/{id}/invitation", "Let a user choose a new password")),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Invitation], error) {
			return rest.JSON(s.InviteAgain(ctx, in.ID))
		})
}

func (s *Service) teamRoutes(api huma.API) {
	rest.Handle(api, access.Admin, route("list-teams", http.MethodGet, "teams", "List teams by name"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Team]], error) {
			return rest.JSON(s.Teams(ctx, *in))
		})
	rest.Handle(api, access.Admin, created(route("create-team", http.MethodPost, "teams", "Create a team")),
		func(ctx context.Context, in *rest.Body[NewTeam]) (*rest.Body[Team], error) {
			return rest.JSON(s.CreateTeam(ctx, in.Body))
		})
	rest.Handle(api, access.Admin, route("get-team", http.MethodGet, "teams/{id}", "Get a team"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Team], error) {
			return rest.JSON(s.Team(ctx, in.ID))
		})
	rest.Handle(api, access.Admin, route("edit-team", http.MethodPatch, "teams/{id}", "Change which nodes a team sees"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body TeamChange
		},
		) (*rest.Body[Team], error) {
			return rest.JSON(s.EditTeam(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Admin, route("delete-team", http.MethodDelete, "teams/{id}", "Delete a team that nobody is in"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) {
			return nil, s.DeleteTeam(ctx, in.ID)
		})
}

func (s *Service) tokenRoutes(api huma.API) {
	rest.Handle(api, access.Admin, created(route("create-token", http.MethodPost, "tokens", "Create a token")),
		func(ctx context.Context, in *rest.Body[NewToken]) (*rest.Body[Issued], error) {
			return rest.JSON(s.IssueToken(ctx, in.Body))
		})
	rest.Handle(api, access.Admin, route("list-tokens", http.MethodGet, "tokens", "List tokens"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Token]], error) {
			return rest.JSON(s.Tokens(ctx, *in))
		})
	rest.Handle(api, access.Admin, route("revoke-token", http.MethodDelete, "tokens/{id}", "Revoke a token"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) {
			return nil, s.RevokeToken(ctx, in.ID)
		})
}
