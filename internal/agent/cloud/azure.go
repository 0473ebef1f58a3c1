package cloud

import (
	"context"

	"patrol/internal/wire"
)

// azure asks Azure's service, which wants the header and no sign of a proxy.
func azure(ctx context.Context, s service) (Identity, error) {
	var compute struct {
		VMID           string `json:"vmId"`
		SubscriptionID string `json:"subscriptionId"`
		Location       string `json:"location"`
		Zone           string `json:"zone"`
		VMSize         string `json:"vmSize"`
		TagsList       []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"tagsList"`
	}
	err := s.json(ctx, &compute, "/metadata/instance/compute?api-version=2021-02-01&format=json", "Metadata", "true")
	if err != nil {
		return Identity{}, err
	}
	id, err := checked(Identity{Cloud: wire.Cloud{
		Provider: "azure", Account: compute.SubscriptionID, Region: compute.Location, Zone: compute.Zone,
		Instance: compute.VMID, InstanceType: compute.VMSize,
	}})
	if err != nil {
		return id, err
	}
	for _, tag := range compute.TagsList {
		id.label(tag.Name, tag.Value)
	}
	return id, nil
}
