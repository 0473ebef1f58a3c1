package scan

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// Selector turns a selector into the ids of the nodes that it selects, of those that
// the caller sees.
type Selector func(ctx context.Context, expression string) ([]string, error)

// StartRequest says which nodes to scan: by id, or by a selector.
type StartRequest struct {
	Nodes    []string `json:"nodes,omitempty" maxItems:"10000" doc:"Ids of nodes."`
	Selector string   `json:"selector,omitempty" doc:"CEL over node, such as node.kind == \"host\"."`
}

// Started holds the scans of a request, one a node.
type Started struct {
	Items []Scan `json:"items"`
}

// Routes adds what people and scripts ask of scans.
func (s *Service) Routes(api huma.API, selected Selector) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-scans", Method: http.MethodGet, Path: "/api/v1/scans", Summary: "List scans, newest first", Tags: []string{"scans"},
	}), func(ctx context.Context, in *struct {
		Query
		rest.Paging
	},
	) (*rest.Body[rest.Page[Scan]], error) {
		return rest.JSON(s.List(ctx, in.Query, in.Paging))
	})
	rest.Handle(api, access.Operator, rest.Scoped(huma.Operation{
		OperationID: "start-scans", Method: http.MethodPost, Path: "/api/v1/scans", Summary: "Scan nodes now", Tags: []string{"scans"}, DefaultStatus: http.StatusCreated,
	}), func(ctx context.Context, in *rest.Body[StartRequest]) (*rest.Body[Started], error) {
		nodes := in.Body.Nodes
		switch {
		case (len(nodes) > 0) == (in.Body.Selector != ""):
			return nil, problem.Invalid("nodes", "name nodes, or give a selector; one of the two")
		case in.Body.Selector != "":
			var err error
			if nodes, err = selected(ctx, in.Body.Selector); err != nil {
				return nil, err
			}
		}
		scans, err := s.StartOnDemand(ctx, nodes)
		return rest.JSON(Started{scans}, err)
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-scan", Method: http.MethodGet, Path: "/api/v1/scans/{id}", Summary: "Get a scan", Tags: []string{"scans"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[Scan], error) {
		return rest.JSON(s.Get(ctx, in.ID))
	})
	rest.Handle(api, access.Operator, rest.Scoped(huma.Operation{
		OperationID: "cancel-scan", Method: http.MethodPost, Path: "/api/v1/scans/{id}/cancel", Summary: "Cancel a scan", Tags: []string{"scans"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[Scan], error) {
		return rest.JSON(s.Cancel(ctx, in.ID))
	})
	s.uploadRoute(api)
	s.reportRoutes(api)
	s.exportRoutes(api)
}

func (s *Service) reportRoutes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "report-vulnerability-scans", Method: http.MethodGet, Path: "/api/v1/reports/vulnerability-scans", Summary: "The Vulnerability Scans report: scans and re-matches, newest first", Tags: []string{"reports"},
	}), func(ctx context.Context, in *struct {
		ReportQuery
		rest.Paging
	},
	) (*rest.Body[rest.Page[ReportEntry]], error) {
		return rest.JSON(s.Report(ctx, in.ReportQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-scan-changes", Method: http.MethodGet, Path: "/api/v1/scans/{id}/changes", Summary: "What a scan opened, resolved and left as it was, and why", Tags: []string{"scans"},
	}), func(ctx context.Context, in *struct {
		rest.ID
		ChangeQuery
		rest.Paging
	},
	) (*rest.Body[Changes], error) {
		return rest.JSON(s.Changes(ctx, in.ID.ID, in.ChangeQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "compare-scans", Method: http.MethodGet, Path: "/api/v1/scans/compare", Summary: "Compare what two scans found, also of two nodes", Tags: []string{"scans"},
	}), func(ctx context.Context, in *struct {
		CompareQuery
		rest.Paging
	},
	) (*rest.Body[Comparison], error) {
		return rest.JSON(s.Compare(ctx, in.CompareQuery, in.Paging))
	})
}
