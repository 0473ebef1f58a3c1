package scan

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/rest"
)

func (s *Service) exportRoutes(api huma.API) {
	content := make(map[string]*huma.MediaType)
	for _, kind := range types {
		content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	responses := map[string]*huma.Response{"200": {Description: "A file in the format that was asked for.", Content: content}}
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "export-vulnerability-scans", Method: http.MethodGet, Path: "/api/v1/reports/vulnerability-scans/export", Summary: "Export the Vulnerability Scans report", Tags: []string{"reports"},
		Responses: responses,
	}), func(ctx context.Context, in *struct {
		ReportQuery
		ExportQuery
	},
	) (*huma.StreamResponse, error) {
		return stream(s.ExportReport(ctx, in.ReportQuery, in.Format))
	})
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "export-scan", Method: http.MethodGet, Path: "/api/v1/scans/{id}/export", Summary: "Export what a scan found", Tags: []string{"scans"},
		Responses: responses,
	}), func(ctx context.Context, in *struct {
		rest.ID
		ExportQuery
	},
	) (*huma.StreamResponse, error) {
		return stream(s.ExportScan(ctx, in.ID.ID, in.Format))
	})
}

// stream writes an export as it comes. When it cannot go on, the connection is broken
// off: what has arrived is not to be taken for the whole.
func stream(e Export, err error) (*huma.StreamResponse, error) {
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", e.Type)
		ctx.SetHeader("Content-Disposition", `attachment; filename="`+e.Name+`"`)
		ctx.SetHeader("Cache-Control", "no-store")
		w := bufio.NewWriterSize(ctx.BodyWriter(), 64<<10)
		err := e.Write(ctx.Context(), w)
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			if ctx.Context().Err() == nil {
				slog.ErrorContext(ctx.Context(), "an export could not be written to its end", "file", e.Name, "error", err)
			}
			panic(http.ErrAbortHandler)
		}
	}}, nil
}
