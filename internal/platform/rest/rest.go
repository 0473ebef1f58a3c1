// Package rest is the one way in which rooms offer routes under /api/v1: typed
// handlers that are the OpenAPI document at the same time, each with the role it
// needs, RFC 9457 problems for errors, and cursor pages for lists.
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// bodyLimit is how many bytes a JSON request may have.
const bodyLimit = 1 << 20

// Huma keeps these choices in package variables; they are the same for every
// API of this program and set once.
var configure = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	plain := huma.NewErrorWithContext
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		// Huma echoes rejected values and raw error texts: both may hold secrets.
		if status >= http.StatusInternalServerError {
			cause := errors.Join(errs...)
			if !errors.Is(cause, context.Canceled) { // else nobody waits for the answer
				slog.Error("request failed", "method", ctx.Method(), "path", ctx.URL().Path, "error", cause)
			}
			return plain(ctx, status, "the console could not do this; its log says why")
		}
		err := plain(ctx, status, message, errs...)
		if model, ok := err.(*huma.ErrorModel); ok {
			for _, detail := range model.Errors {
				detail.Value = nil
			}
		}
		return err
	}
})

// New returns the API that serves under /api/v1 on the mux.
func New(mux *http.ServeMux, version string) huma.API {
	configure()
	config := huma.DefaultConfig("Patrol", version)
	config.OpenAPIPath = "/api/v1/openapi"
	config.DocsPath = "" // the built-in page loads scripts from another origin
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in every answer
	config.Info.Description = "Everything that the UI and the command line do."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of POST /api/v1/tokens or POST /api/v1/session."},
		"session": {Type: "apiKey", In: "cookie", Name: "patrol_session", Description: "The cookie of POST /api/v1/session."},
	}
	return humago.New(mux, config)
}

// RoleOf tells which role an operation needs.
func RoleOf(op *huma.Operation) (access.Role, bool) {
	role, ok := op.Metadata["role"].(access.Role)
	return role, ok
}

// Also lets tokens of these kinds in, whatever their role.
func Also(op huma.Operation, kinds ...string) huma.Operation {
	op.Metadata = map[string]any{"also": kinds}
	return op
}

// AlsoOf returns the kinds of token that an operation lets in besides its role.
func AlsoOf(op *huma.Operation) []string {
	kinds, _ := op.Metadata["also"].([]string)
	return kinds
}

// Handle adds a route that needs a role. Who lacks it is told so before anything
// of the request is read.
func Handle[I, O any](api huma.API, role access.Role, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	also := AlsoOf(&op)
	op.Metadata = map[string]any{"role": role, "also": also}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = bodyLimit
	}
	op.Description = "Needs the role " + string(role) + "."
	if len(also) > 0 {
		op.Description = "Needs the role " + string(role) + ", or a token of the kind " + strings.Join(also, " or ") + "."
	}
	if role == access.Public {
		op.Description = "Needs no token."
	} else {
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	}
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		if p := access.From(ctx.Context()); role != access.Public && !p.Role.Includes(role) && !slices.Contains(also, p.Kind) {
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "this needs the role "+string(role)) // the caller is gone if this fails
			return
		}
		next(ctx)
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, statusError(err)
		}
		return out, nil
	})
}

func statusError(err error) error {
	var p *problem.Error
	switch {
	case errors.As(err, &p) && p.Field != "":
		return huma.NewError(int(p.Kind), p.Error(), &huma.ErrorDetail{Message: p.Detail, Location: "body." + p.Field})
	case errors.As(err, &p):
		return huma.NewError(int(p.Kind), p.Detail)
	case errors.Is(err, db.ErrNotFound):
		return huma.Error404NotFound("there is no such thing")
	default:
		return err
	}
}
