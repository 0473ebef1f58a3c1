package feed

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
)

// Routes adds what people and scripts ask of the feed.
func (s *Service) Routes(api huma.API) {
	rest.Handle(api, access.Viewer, rest.Scoped(huma.Operation{
		OperationID: "get-feed", Method: http.MethodGet, Path: "/api/v1/feed", Summary: "What is known, and how old it is", Tags: []string{"feed"},
	}), func(ctx context.Context, _ *struct{}) (*rest.Body[Overview], error) {
		return rest.JSON(s.Overview(ctx))
	})
	rest.Handle(api, access.Operator, huma.Operation{
		OperationID: "update-feed", Method: http.MethodPost, Path: "/api/v1/feed/update", Summary: "Update OSV now, and the other sources soon after", Tags: []string{"feed"},
	}, func(ctx context.Context, _ *struct{}) (*rest.Body[Overview], error) {
		if err := s.requested(ctx); err != nil {
			return nil, err
		}
		if _, err := s.Update(ctx, nil); err != nil {
			return nil, updateProblem(err)
		}
		s.askForIntelligence()
		return rest.JSON(s.Overview(ctx))
	})
}

// requested audits that somebody asked for an update; what came of it is an event.
func (s *Service) requested(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return audit.Record(ctx, tx, s.now(), "feed.update_requested", audit.Subject{Kind: "feed"}, nil, nil)
	})
}
