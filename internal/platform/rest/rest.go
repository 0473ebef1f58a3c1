// Package rest is the one way in which rooms offer routes under /api/v1: typed
// handlers that are the OpenAPI document at the same time, each with the role it
// needs, RFC 9457 problems for errors, and cursor pages for lists.
package rest

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
)

// bodyLimit is how many bytes a JSON request may have.
const bodyLimit = 1 << 20

// RetryAfter is how many seconds to wait for a console that cannot do it now.
const RetryAfter = "10"

// Huma keeps these choices in package variables; they are the same for every
// API of this program and set once.
var configure = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false
	plain := huma.NewErrorWithContext
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		// Huma echoes rejected values and raw error texts: both may hold secrets.
		if status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable {
			cause := errors.Join(errs...)
			if !errors.Is(cause, context.Canceled) { // else nobody waits for the answer
				slog.ErrorContext(ctx.Context(), "request failed", "method", ctx.Method(), "path", ctx.URL().Path, "error", cause)
			}
			return plain(ctx, status, "the console could not do this; its log says why, at request_id "+logs.RequestID(ctx.Context()))
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
func New(mux humago.Mux, version string) huma.API {
	configure()
	config := huma.DefaultConfig("Patrol", version)
	config.OpenAPIPath = "/api/v1/openapi"
	config.DocsPath = "" // the built-in page loads scripts from another origin
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema member in every answer
	config.Info.Description = "Everything that the UI and the command line do."
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of POST /api/v1/tokens or POST /api/v1/session."},
		"session": {Type: "apiKey", In: "cookie", Name: "patrol_session", Description: "The cookie of POST /api/v1/session."},
	}
	return humago.New(mux, config)
}

// schemaName names a type in the API's description as huma does. The types of
// OpenVEX are named with it: there are documents and vulnerabilities of our own. So are
// findings and nodes as notifications have them.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch room := path.Base(t.PkgPath()); {
	case room == "openvex":
		return "Vex" + name
	case room == "notify" && (name == "Finding" || name == "Node"):
		return "Notified" + name
	}
	return name
}

// RoleOf tells which role an operation needs.
func RoleOf(op *huma.Operation) (access.Role, bool) {
	role, ok := op.Metadata["role"].(access.Role)
	return role, ok
}

// Scoped marks an operation that shows, and acts on, the nodes of the caller's
// scope alone. All others are refused to who has one: a route that was not thought
// of shows nothing.
func Scoped(op huma.Operation) huma.Operation {
	return with(op, "scoped", true)
}

// IsScoped tells whether members of a team may call an operation.
func IsScoped(op *huma.Operation) bool { return op.Metadata["scoped"] == true }

// Also lets tokens of these kinds in, whatever their role.
func Also(op huma.Operation, kinds ...string) huma.Operation {
	return with(op, "also", kinds)
}

// AlsoOf returns the kinds of token that an operation lets in besides its role.
func AlsoOf(op *huma.Operation) []string {
	kinds, _ := op.Metadata["also"].([]string)
	return kinds
}

// with adds to what is known of an operation.
func with(op huma.Operation, key string, value any) huma.Operation {
	known := maps.Clone(op.Metadata)
	if known == nil {
		known = make(map[string]any)
	}
	known[key] = value
	op.Metadata = known
	return op
}

// Handle adds a route that needs a role. Who lacks it is told so before anything
// of the request is read.
func Handle[I, O any](api huma.API, role access.Role, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	scoped, also := IsScoped(&op), AlsoOf(&op)
	op = with(op, "role", role)
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
		if role != access.Public && !scoped && access.From(ctx.Context()).Scope != "" {
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, "this is about all nodes, and not for members of a team")
			return
		}
		next(ctx)
	})
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		if err := checkText(in); err != nil {
			return nil, statusError(err)
		}
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
	case errors.As(err, &p) && p.After > 0:
		// Delay-seconds are whole (RFC 9110, section 10.2.3): a part of one counts.
		seconds := strconv.FormatInt(int64((p.After+time.Second-1)/time.Second), 10)
		return huma.ErrorWithHeaders(huma.NewError(int(p.Kind), p.Detail), http.Header{"Retry-After": {seconds}})
	case errors.As(err, &p):
		return huma.NewError(int(p.Kind), p.Detail)
	case errors.Is(err, db.ErrNotFound):
		return huma.Error404NotFound("there is no such thing")
	case errors.Is(err, db.ErrReadOnly):
		return later(db.ErrReadOnly)
	case db.IsGone(err):
		return later(db.ErrGone)
	case db.IsBadText(err):
		return huma.Error422UnprocessableEntity(db.ErrBadText.Error())
	default:
		return err
	}
}

// later is the answer while the console cannot do it, for a reason that passes.
func later(why error) error {
	return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(why.Error()), http.Header{"Retry-After": {RetryAfter}})
}
