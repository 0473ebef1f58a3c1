package fleet

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// Routes adds what people and scripts ask of nodes.
func (s *Service) Routes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-nodes", Method: http.MethodGet, Path: "/api/v1/nodes", Summary: "List nodes", Tags: []string{"nodes"},
	}), func(ctx context.Context, in *struct {
		Query
		rest.Paging
	},
	) (*rest.Body[rest.Page[Node]], error) {
		return rest.JSON(s.List(ctx, in.Query, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-node", Method: http.MethodGet, Path: "/api/v1/nodes/{id}", Summary: "Get a node", Tags: []string{"nodes"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[Node], error) {
		return rest.JSON(s.Get(ctx, in.ID))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-components", Method: http.MethodGet, Path: "/api/v1/components", Summary: "List the components that nodes have, by name", Tags: []string{"components"},
	}), func(ctx context.Context, in *struct {
		ComponentQuery
		rest.Paging
	},
	) (*rest.Body[rest.Page[InstalledComponent]], error) {
		return rest.JSON(s.Components(ctx, in.ComponentQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-component-nodes", Method: http.MethodGet, Path: "/api/v1/components/{id}/nodes", Summary: "List the nodes that have a component", Tags: []string{"components"},
	}), func(ctx context.Context, in *struct {
		ID string `path:"id"`
		rest.Paging
	},
	) (*rest.Body[rest.Page[NodeName]], error) {
		id, err := strconv.ParseInt(in.ID, 10, 64)
		if err != nil {
			return nil, problem.NotFound("component", in.ID)
		}
		return rest.JSON(s.ComponentNodes(ctx, id, in.Paging))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "label-node", Method: http.MethodPatch, Path: "/api/v1/nodes/{id}/labels", Summary: "Set and remove labels by hand", Tags: []string{"nodes"},
	}, func(ctx context.Context, in *struct {
		rest.ID
		Body LabelChange
	},
	) (*rest.Body[Node], error) {
		return rest.JSON(s.SetLabels(ctx, in.ID.ID, in.Body))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "retire-node", Method: http.MethodDelete, Path: "/api/v1/nodes/{id}", Summary: "Retire a node", Tags: []string{"nodes"}, DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *rest.ID) (*struct{}, error) {
		return nil, s.Retire(ctx, in.ID)
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-sbom", Method: http.MethodGet, Path: "/api/v1/sboms/{id}", Summary: "Get an SBOM by its document digest", Tags: []string{"sboms"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[*sbom.Document], error) {
		return rest.JSON(s.seenDocument(ctx, in.ID))
	})
}

// Wire adds what agents ask.
func (s *Service) Wire(mux wire.Mux) {
	mux.HandleFunc("POST /wire/v1/register", wire.Handle("enrolment",
		func(r *http.Request, in wire.RegisterRequest) (wire.RegisterResponse, error) {
			return s.Register(r.Context(), in)
		}))
	mux.HandleFunc("POST /wire/v1/heartbeat", wire.Handle("agent",
		func(r *http.Request, in wire.Facts) (wire.HeartbeatResponse, error) {
			return s.Heartbeat(r.Context(), access.From(r.Context()).Node, in)
		}))
	mux.HandleFunc("POST /wire/v1/children", wire.Handle("agent",
		func(r *http.Request, in wire.ChildrenRequest) (struct{}, error) {
			return struct{}{}, s.Report(r.Context(), access.From(r.Context()).Node, in)
		}))
	mux.HandleFunc("PUT /wire/v1/sboms/{digest}", s.receive)
	mux.HandleFunc("GET /wire/v1/stream", s.stream)
}

// receive takes a gzipped document.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) {
	if !wire.Allow(w, r, "agent") {
		return
	}
	encoded, err := inflate(http.MaxBytesReader(w, r.Body, wire.DocumentLimit))
	if err == nil {
		err = s.Put(r.Context(), r.PathValue("digest"), encoded)
	}
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// inflate reads a gzip stream whole, up to the limit of a document.
func inflate(body io.Reader) ([]byte, error) {
	packed, err := gzip.NewReader(body)
	if err != nil {
		return nil, problem.Invalid("body", "is not gzip: %v", err)
	}
	encoded, err := io.ReadAll(io.LimitReader(packed, wire.DocumentLimit+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), len(encoded) > wire.DocumentLimit:
		return nil, problem.TooLarge("an SBOM document may have %d MiB", wire.DocumentLimit>>20)
	case err != nil:
		return nil, problem.Invalid("body", "ends early or is damaged: %v", err)
	}
	return encoded, nil
}
