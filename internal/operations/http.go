package operations

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/rest"
)

// Routes adds what administrators ask.
func (s *Service) Routes(api huma.API) {
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "get-settings", Method: http.MethodGet, Path: "/api/v1/settings", Summary: "Get the settings", Tags: []string{"settings"},
	}, func(ctx context.Context, _ *struct{}) (*rest.Body[Settings], error) {
		return rest.JSON(s.Settings(ctx))
	})
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "put-settings", Method: http.MethodPut, Path: "/api/v1/settings", Summary: "Replace the settings", Tags: []string{"settings"},
	}, func(ctx context.Context, in *rest.Body[Settings]) (*rest.Body[Settings], error) {
		return rest.JSON(s.Set(ctx, in.Body))
	})
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "doctor", Method: http.MethodGet, Path: "/api/v1/doctor", Summary: "Look for what is wrong, and what to do about it", Tags: []string{"settings"},
	}, func(ctx context.Context, _ *struct{}) (*rest.Body[Diagnosis], error) {
		return rest.JSON(s.Examine(ctx), nil)
	})
}
