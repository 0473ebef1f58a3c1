package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"patrol/internal/wire"
)

// gcp asks Compute Engine's service for single values, never for all of an
// instance: its attributes hold other programs' secrets. A request without the
// header is refused, and an answer without it is no answer of the service.
func gcp(ctx context.Context, s service) (Identity, error) {
	const header, flavor = "Metadata-Flavor", "Google"
	value := func(name string) (string, error) {
		body, answered, err := s.ask(ctx, http.MethodGet, "/computeMetadata/v1/"+name, header, flavor)
		if err == nil && answered.Get(header) != flavor {
			err = errors.New("what answers is not Google's metadata service")
		}
		return strings.TrimSpace(string(body)), err
	}
	id := Identity{Cloud: wire.Cloud{Provider: "gcp"}}
	for _, field := range []struct {
		name string
		into *string
	}{
		{"instance/id", &id.Instance}, {"project/project-id", &id.Account}, {"instance/zone", &id.Zone}, {"instance/machine-type", &id.InstanceType},
	} {
		text, err := value(field.name)
		if err != nil {
			return Identity{}, err
		}
		*field.into = path.Base(text) // "projects/123/zones/europe-west3-a"
	}
	if cut := strings.LastIndexByte(id.Zone, '-'); cut > 0 {
		id.Region = id.Zone[:cut]
	}
	id, err := checked(id)
	if err != nil {
		return id, err
	}
	// The service knows no labels; network tags are names without a value.
	if list, err := value("instance/tags?alt=json"); err == nil {
		var tags []string
		if json.Unmarshal([]byte(list), &tags) == nil {
			for _, tag := range tags {
				id.label("tag/"+tag, "true")
			}
		}
	}
	return id, nil
}
