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
	rest.Handle(api, access.Operator, created(route("backfill-schedule", http.MethodPost, "/{id}/backfill", "Fire a schedule once for the fire times of a stretch of the past")),
		func(ctx context.Context, in *struct {
			rest.ID
			Body Range
		},
		) (*rest.Body[Run], error) {
			return rest.JSON(s.Backfill(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Operator, route("pause-schedule", http.MethodPost, "/{id}/pause", "Pause a schedule, until somebody resumes it or a moment"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body PauseRequest
		},
		) (*rest.Body[Schedule], error) {
			return rest.JSON(s.Pause(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Operator, route("resume-schedule", http.MethodPost, "/{id}/resume", "End the pause of a schedule"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Schedule], error) {
			return rest.JSON(s.Resume(ctx, in.ID))
		})
	rest.Handle(api, access.Viewer, route("preview-schedule", http.MethodPost, "/preview", "What a schedule would do: the nodes that it means now, and the next fire times"),
		func(ctx context.Context, in *rest.Body[PreviewRequest]) (*rest.Body[Preview], error) {
			return rest.JSON(s.Preview(ctx, in.Body))
		})
	rest.Handle(api, access.Viewer, route("list-selectors", http.MethodGet, "/selectors", "Selectors to begin with"),
		func(context.Context, *struct{}) (*rest.Body[rest.Page[Choice]], error) {
			return rest.JSON(rest.Page[Choice]{Items: Choices()}, nil)
		})
	s.runRoutes(api, route)
}

func (s *Service) runRoutes(api huma.API, route func(id, method, path, summary string) huma.Operation) {
	rest.Handle(api, access.Viewer, route("list-runs", http.MethodGet, "/{id}/runs", "List the runs of a schedule, newest first"),
		func(ctx context.Context, in *struct {
			rest.ID
			rest.Paging
		},
		) (*rest.Body[rest.Page[Run]], error) {
			return rest.JSON(s.Runs(ctx, in.ID.ID, in.Paging))
		})
	rest.Handle(api, access.Viewer, route("get-run", http.MethodGet, "/{id}/runs/{run}", "Get a run"),
		func(ctx context.Context, in *RunID) (*rest.Body[Run], error) {
			return rest.JSON(s.GetRun(ctx, in.ID.ID, in.Run))
		})
	rest.Handle(api, access.Viewer, route("list-skipped", http.MethodGet, "/{id}/runs/{run}/skipped", "List the nodes that a run meant and did not scan"),
		func(ctx context.Context, in *struct {
			RunID
			rest.Paging
		},
		) (*rest.Body[rest.Page[SkippedNode]], error) {
			return rest.JSON(s.Skipped(ctx, in.ID.ID, in.Run, in.Paging))
		})
	rest.Handle(api, access.Operator, route("cancel-run", http.MethodPost, "/{id}/runs/{run}/cancel", "Cancel a run that goes on, and its scans"),
		func(ctx context.Context, in *RunID) (*rest.Body[Run], error) {
			return rest.JSON(s.CancelRun(ctx, in.ID.ID, in.Run))
		})
}

// RunID are the path parameters of one run.
type RunID struct {
	rest.ID
	Run string `path:"run"`
}
