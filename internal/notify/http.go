package notify

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/rest"
)

// Routes adds what people and scripts ask of notifications.
func (s *Service) Routes(api huma.API) {
	s.integrationRoutes(api)
	s.ruleRoutes(api)
	s.deliveryRoutes(api)
}

func route(tag, id, method, path, summary string) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: "/api/v1/" + path, Summary: summary, Tags: []string{tag}}
	if method == http.MethodPost && (id == "create-integration" || id == "create-rule") {
		op.DefaultStatus = http.StatusCreated
	}
	return op
}

func (s *Service) integrationRoutes(api huma.API) {
	const tag = "integrations"
	rest.Handle(api, access.Viewer, route(tag, "list-integrations", http.MethodGet, "integrations", "List integrations, with how they do"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Integration]], error) {
			return rest.JSON(s.Integrations(ctx, *in))
		})
	rest.Handle(api, access.Viewer, route(tag, "list-integration-kinds", http.MethodGet, "integrations/kinds", "List the kinds of integration, and what each asks for"),
		func(context.Context, *struct{}) (*rest.Body[rest.Page[KindInfo]], error) {
			return rest.JSON(rest.Page[KindInfo]{Items: s.Kinds()}, nil)
		})
	rest.Handle(api, access.Admin, route(tag, "create-integration", http.MethodPost, "integrations", "Add an integration"),
		func(ctx context.Context, in *rest.Body[NewIntegration]) (*rest.Body[Integration], error) {
			return rest.JSON(s.CreateIntegration(ctx, in.Body))
		})
	rest.Handle(api, access.Admin, route(tag, "test-settings", http.MethodPost, "integrations/test", "Send a test by settings that are not saved"),
		func(ctx context.Context, in *rest.Body[NewIntegration]) (*rest.Body[Trial], error) {
			return rest.JSON(s.TestSettings(ctx, in.Body))
		})
	rest.Handle(api, access.Viewer, route(tag, "get-integration", http.MethodGet, "integrations/{id}", "Get an integration"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Integration], error) {
			return rest.JSON(s.Integration(ctx, in.ID))
		})
	rest.Handle(api, access.Admin, route(tag, "edit-integration", http.MethodPatch, "integrations/{id}", "Edit, enable or disable an integration"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body IntegrationChange
		},
		) (*rest.Body[Integration], error) {
			return rest.JSON(s.EditIntegration(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Admin, route(tag, "delete-integration", http.MethodDelete, "integrations/{id}", "Delete an integration, and what waits for it"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) { return nil, s.DeleteIntegration(ctx, in.ID) })
	rest.Handle(api, access.Operator, route(tag, "test-integration", http.MethodPost, "integrations/{id}/test", "Send a test, and say what the far side said"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Trial], error) {
			return rest.JSON(s.Test(ctx, in.ID))
		})
	rest.Handle(api, access.Operator, route(tag, "redeliver-integration", http.MethodPost, "integrations/{id}/redeliver", "Send everything once more that was given up, and try at once"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Integration], error) {
			return rest.JSON(s.RedeliverAll(ctx, in.ID))
		})
	rest.Handle(api, access.Admin, route(tag, "rotate-key", http.MethodPost, "secrets/rotate", "Seal the secrets of all integrations by a new key"),
		func(ctx context.Context, _ *struct{}) (*rest.Body[Rotated], error) {
			n, err := s.RotateKey(ctx)
			return rest.JSON(Rotated{n}, err)
		})
}

// Rotated says how many integrations' secrets were sealed anew.
type Rotated struct {
	Sealed int `json:"sealed"`
}

func (s *Service) ruleRoutes(api huma.API) {
	const tag = "rules"
	rest.Handle(api, access.Viewer, route(tag, "list-rules", http.MethodGet, "rules", "List the rules of notifications"),
		func(ctx context.Context, in *rest.Paging) (*rest.Body[rest.Page[Rule]], error) {
			return rest.JSON(s.Rules(ctx, *in))
		})
	rest.Handle(api, access.Viewer, route(tag, "list-rule-types", http.MethodGet, "rules/types", "List the types of event that rules may be about"),
		func(context.Context, *struct{}) (*rest.Body[rest.Page[Type]], error) {
			return rest.JSON(rest.Page[Type]{Items: types}, nil)
		})
	rest.Handle(api, access.Viewer, route(tag, "list-ready-rules", http.MethodGet, "rules/ready", "Rules to begin with"),
		func(context.Context, *struct{}) (*rest.Body[rest.Page[RuleDefinition]], error) {
			return rest.JSON(rest.Page[RuleDefinition]{Items: ReadyMade()}, nil)
		})
	rest.Handle(api, access.Operator, route(tag, "create-rule", http.MethodPost, "rules", "Create a rule"),
		func(ctx context.Context, in *rest.Body[RuleDefinition]) (*rest.Body[Rule], error) {
			return rest.JSON(s.CreateRule(ctx, in.Body))
		})
	rest.Handle(api, access.Viewer, route(tag, "preview-rule", http.MethodPost, "rules/preview", "What a rule would have told of the last events"),
		func(ctx context.Context, in *rest.Body[RuleDefinition]) (*rest.Body[Preview], error) {
			return rest.JSON(s.PreviewRule(ctx, in.Body))
		})
	rest.Handle(api, access.Viewer, route(tag, "get-rule", http.MethodGet, "rules/{id}", "Get a rule"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[Rule], error) { return rest.JSON(s.Rule(ctx, in.ID)) })
	rest.Handle(api, access.Operator, route(tag, "edit-rule", http.MethodPut, "rules/{id}", "Replace what a rule says"),
		func(ctx context.Context, in *struct {
			rest.ID
			Body RuleDefinition
		},
		) (*rest.Body[Rule], error) {
			return rest.JSON(s.EditRule(ctx, in.ID.ID, in.Body))
		})
	rest.Handle(api, access.Operator, route(tag, "delete-rule", http.MethodDelete, "rules/{id}", "Delete a rule"),
		func(ctx context.Context, in *rest.ID) (*struct{}, error) { return nil, s.DeleteRule(ctx, in.ID) })
}

func (s *Service) deliveryRoutes(api huma.API) {
	const tag = "deliveries"
	rest.Handle(api, access.Viewer, route(tag, "list-deliveries", http.MethodGet, "deliveries", "List deliveries, the newest first"),
		func(ctx context.Context, in *struct {
			DeliveryQuery
			rest.Paging
		},
		) (*rest.Body[rest.Page[Delivery]], error) {
			return rest.JSON(s.Deliveries(ctx, in.DeliveryQuery, in.Paging))
		})
	rest.Handle(api, access.Viewer, route(tag, "get-delivery", http.MethodGet, "deliveries/{id}", "Get a delivery, with what was said"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[DeliveryLog], error) {
			return rest.JSON(s.Delivery(ctx, in.ID))
		})
	rest.Handle(api, access.Operator, route(tag, "redeliver", http.MethodPost, "deliveries/{id}/redeliver", "Send a delivery once more that was given up"),
		func(ctx context.Context, in *rest.ID) (*rest.Body[DeliveryLog], error) {
			return rest.JSON(s.Redeliver(ctx, in.ID))
		})
}
