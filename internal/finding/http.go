package finding

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/openvex"
	"patrol/internal/platform/access"
	"patrol/internal/platform/rest"
)

// Routes adds what people and scripts ask of findings.
func (s *Service) Routes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-findings", Method: http.MethodGet, Path: "/api/v1/findings", Summary: "List findings, worst first", Tags: []string{"findings"},
	}), func(ctx context.Context, in *struct {
		Query
		rest.Paging
	},
	) (*rest.Body[rest.Page[Finding]], error) {
		return rest.JSON(s.List(ctx, in.Query, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-occurrences", Method: http.MethodGet, Path: "/api/v1/occurrences", Summary: "List occurrences, newest first", Tags: []string{"occurrences"},
	}), func(ctx context.Context, in *struct {
		OccurrenceQuery
		rest.Paging
	},
	) (*rest.Body[rest.Page[Occurrence]], error) {
		return rest.JSON(s.Occurrences(ctx, in.OccurrenceQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-vulnerabilities", Method: http.MethodGet, Path: "/api/v1/vulnerabilities", Summary: "List the vulnerabilities of the fleet, worst first", Tags: []string{"vulnerabilities"},
	}), func(ctx context.Context, in *struct {
		VulnerabilityQuery
		rest.Paging
	},
	) (*rest.Body[rest.Page[Vulnerability]], error) {
		return rest.JSON(s.Vulnerabilities(ctx, in.VulnerabilityQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-vulnerability", Method: http.MethodGet, Path: "/api/v1/vulnerabilities/{id}", Summary: "Get a vulnerability by its name, with the packages that it is in", Tags: []string{"vulnerabilities"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[Vulnerability], error) {
		return rest.JSON(s.Vulnerability(ctx, in.ID))
	})
	s.decisionRoutes(api)
	s.reportRoutes(api)
}

func (s *Service) reportRoutes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-scan-findings", Method: http.MethodGet, Path: "/api/v1/scans/{id}/findings", Summary: "List what a scan found then, worst first", Tags: []string{"scans"},
	}), func(ctx context.Context, in *struct {
		rest.ID
		rest.Paging
		Severity string `query:"severity" enum:"malicious,critical,high,medium,low,unknown"`
	},
	) (*rest.Body[rest.Page[Finding]], error) {
		return rest.JSON(s.List(ctx, Query{Scan: in.ID.ID, Severity: in.Severity}, in.Paging))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "report-trend", Method: http.MethodGet, Path: "/api/v1/reports/trend", Summary: "What is open by day, severity and age, how long it took to fix, and what is overdue", Tags: []string{"reports"},
	}), func(ctx context.Context, in *TrendQuery) (*rest.Body[Trend], error) {
		return rest.JSON(s.Trend(ctx, *in))
	})
}

func (s *Service) decisionRoutes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "list-decisions", Method: http.MethodGet, Path: "/api/v1/decisions", Summary: "List decisions, newest first", Tags: []string{"decisions"},
	}), func(ctx context.Context, in *struct {
		DecisionQuery
		rest.Paging
	},
	) (*rest.Body[rest.Page[Decision]], error) {
		return rest.JSON(s.Decisions(ctx, in.DecisionQuery, in.Paging))
	})
	rest.Handle(api, access.Viewer, huma.Operation{
		OperationID: "export-decisions", Method: http.MethodGet, Path: "/api/v1/decisions/openvex", Summary: "Export the decisions that hold as an OpenVEX document", Tags: []string{"decisions"},
	}, func(ctx context.Context, _ *struct{}) (*rest.Body[*openvex.Document], error) {
		return rest.JSON(s.Export(ctx))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "import-decisions", Method: http.MethodPost, Path: "/api/v1/decisions/openvex", Summary: "Import decisions from an OpenVEX document", Tags: []string{"decisions"},
		MaxBodyBytes: VEXLimit, BodyReadTimeout: time.Minute, SkipValidateBody: true, // which Import does
	}, func(ctx context.Context, in *struct {
		VEXScope
		RawBody []byte `contentType:"application/json" doc:"OpenVEX 0.2.0, of at most 16 MiB."`
	},
	) (*rest.Body[Imported], error) {
		return rest.JSON(s.Import(ctx, in.RawBody, in.VEXScope, access.From(ctx).Name))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-decision", Method: http.MethodGet, Path: "/api/v1/decisions/{id}", Summary: "Get a decision", Tags: []string{"decisions"},
	}), func(ctx context.Context, in *rest.ID) (*rest.Body[Decision], error) {
		return rest.JSON(s.Decision(ctx, in.ID))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "create-decision", Method: http.MethodPost, Path: "/api/v1/decisions", Summary: "Decide that occurrences do not count", Tags: []string{"decisions"}, DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *rest.Body[DecisionRequest]) (*rest.Body[Decision], error) {
		return rest.JSON(s.Decide(ctx, in.Body, access.From(ctx).Name))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "delete-decision", Method: http.MethodDelete, Path: "/api/v1/decisions/{id}", Summary: "Revoke a decision", Tags: []string{"decisions"},
	}, func(ctx context.Context, in *rest.ID) (*struct{}, error) {
		return nil, s.Revoke(ctx, in.ID)
	})
}
