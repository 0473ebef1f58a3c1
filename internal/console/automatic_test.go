package console

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"patrol/internal/operations"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// Which nodes are scanned by themselves is a setting, and on unless it is changed.
func TestAutomaticScansAreASetting(t *testing.T) {
	h := openHouse(t, publish(t))
	h.scans.SetAutomatic(func(ctx context.Context, q db.Querier) (scan.Automatic, error) {
		a, err := operations.ReadAutomatic(ctx, q)
		return scan.Automatic(a), err
	})
	token := h.token(auth.API)
	scans := func(trigger string) int {
		return len(into[rest.Page[struct{ ID string }]](t, h.ask("GET", "/api/v1/scans?trigger="+trigger, token, "")).Items)
	}
	h.register()
	if n := scans(scan.OnArrival); n != 1 {
		t.Errorf("%d scans because a host arrived; want 1", n)
	}
	settings := into[operations.Settings](t, h.ask("GET", "/api/v1/settings", token, ""))
	if both := []string{"host", "container"}; !slices.Equal(settings.Automatic.OnArrival, both) || !slices.Equal(settings.Automatic.OnChange, both) {
		t.Errorf("settings = %+v", settings.Automatic)
	}
	const others = `{"retention":{"events_days":7,"occurrences_days":365,"scans_days":0,"audit_days":730},"decisions":{"warn_days":3}`
	wantProblem(t, h.ask("PUT", "/api/v1/settings", token, others+`,"automatic":{"on_arrival":["cloud"]}}`), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("PUT", "/api/v1/settings", token, others+`,"automatic":{"on_change":["image"]}}`), http.StatusUnprocessableEntity)

	// A list that is left out stays; one that is empty is for no kind.
	settings = into[operations.Settings](t, h.ask("PUT", "/api/v1/settings", token, others+`,"automatic":{"on_arrival":[]}}`))
	if len(settings.Automatic.OnArrival) != 0 || len(settings.Automatic.OnChange) != 2 {
		t.Errorf("settings = %+v", settings.Automatic)
	}
	settings = into[operations.Settings](t, h.ask("PUT", "/api/v1/settings", token, others+`}`))
	if len(settings.Automatic.OnArrival) != 0 || len(settings.Automatic.OnChange) != 2 {
		t.Errorf("settings = %+v", settings.Automatic)
	}
	other := wire.RegisterRequest{Key: "key of another agent of a test", Facts: wire.Facts{Protocol: wire.Version, Name: "web-2"}}
	if _, err := h.fleet.Register(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if n := scans(scan.OnArrival); n != 1 {
		t.Errorf("%d scans because hosts arrived; want the one of before", n)
	}
}
