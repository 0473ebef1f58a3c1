package cloud

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"patrol/internal/wire"
)

// aws asks EC2's service in its second version: a token first, by PUT, which a
// careless proxy or a page in a browser cannot ask for.
func aws(ctx context.Context, s service) (Identity, error) {
	token, _, err := s.ask(ctx, http.MethodPut, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	if err != nil {
		return Identity{}, err
	}
	header := []string{"X-aws-ec2-metadata-token", strings.TrimSpace(string(token))}
	var document struct {
		AccountID        string `json:"accountId"`
		Region           string `json:"region"`
		AvailabilityZone string `json:"availabilityZone"`
		InstanceID       string `json:"instanceId"`
		InstanceType     string `json:"instanceType"`
	}
	if err := s.json(ctx, &document, "/latest/dynamic/instance-identity/document", header...); err != nil {
		return Identity{}, err
	}
	id, err := checked(Identity{Cloud: wire.Cloud{
		Provider: "aws", Account: document.AccountID, Region: document.Region, Zone: document.AvailabilityZone,
		Instance: document.InstanceID, InstanceType: document.InstanceType,
	}})
	if err != nil {
		return id, err
	}
	// Tags are there only if the instance's metadata options allow them.
	names, _, err := s.ask(ctx, http.MethodGet, "/latest/meta-data/tags/instance", header...)
	if err != nil {
		return id, nil
	}
	for i, name := range strings.Fields(string(names)) {
		if i == maxLabels {
			break
		}
		if value, _, err := s.ask(ctx, http.MethodGet, "/latest/meta-data/tags/instance/"+url.PathEscape(name), header...); err == nil {
			id.label(name, string(value))
		}
	}
	return id, nil
}
