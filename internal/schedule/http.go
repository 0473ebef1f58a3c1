package schedule

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/rest"
)

// Routes adds what people and scripts ask of schedules.
func (s *Service) Routes(api huma.API) {
	route := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/api/v1/schedules" + path, Summary: summary, Tags: []string{"schedules"}}
	}
	created := func(op huma.Operation) huma.Operation { op.DefaultStatus = http.StatusCreated; return op }

	rest.Handle(api, access.Viewer, route("list-schedules", http.MethodGet, "", "List schedules"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Schedule]], error) {
			return rest.JSON(s.List(ctx, *in))
		})
	rest.Handle(api, access.Operator, created(route("create-schedule", http.MethodPost, "", "Create a schedule")),
		func(ctx context.Context, in *rest.Body[Definition]) (*rest.Body[Schedule], error) {
			return rest.JSON(s.Create(ctx, in.Body))
		})
	rest.Handle(api, access.Viewer, route("get-schedule", http.MethodGet, "/{id}", "Get a schedule"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Schedule], error) {
			return rest.JSON(s.Get(ctx, in.ID))
		})
	rest.Handle(api, access.Operator, route("edit-schedule", http.MethodPatch, "/{id}", "Edit, enable or disable a schedule"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body Change
		},
		) (*rest.Body[Schedule], error) {
			return rest.JSON(s.Edit(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Operator, route("delete-schedule", http.MethodDelete, "/{id}", "Delete a schedule"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) {
			return nil, s.Delete(ctx, in.ID)
		})
	rest.Handle(api, access.Operator, created(route("run-schedule", http.MethodPost, "/{id}/run", "Fire a schedule now, once")),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Run], error) {
			return rest.JSON(s.RunNow(ctx, in.ID))
		})
	rest.Handle(api, access.Viewer, route("list-runs", http.MethodGet, "/{id}/runs", "List the runs of a schedule, newest first"),
		func(ctx context.Context, in *struct {
			rest.ID
			rest.Paging
		},
		) (*rest.Body[rest.Page[Run]], error) {
			return rest.JSON(s.Runs(ctx, in.ID.ID, in.Paging))
		})
}
