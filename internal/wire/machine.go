package wire

// Machine is what tells one machine from another. All of it comes from the machine
// itself: whoever is root there can make it up.
type Machine struct {
	// HardwareID is DMI's product UUID, which a hypervisor gives to each of its
	// machines; empty where there is none, or only root may read it.
	HardwareID string `json:"hardware_id,omitempty"`
	Cloud      Cloud  `json:"cloud,omitzero"`
}

// Cloud is what a cloud's metadata service says of an instance; zero outside of
// clouds, and while the service does not answer.
type Cloud struct {
	Provider     string `json:"provider" enum:"aws,gcp,azure"`
	Account      string `json:"account" doc:"AWS's account, Google's project, Azure's subscription."`
	Region       string `json:"region"`
	Zone         string `json:"zone"`
	Instance     string `json:"instance" doc:"The provider's id of the instance."`
	InstanceType string `json:"instance_type"`
}

// Key names an instance among all of all clouds: "aws/i-0123"; "" if it is none.
func (c Cloud) Key() string {
	if c.Instance == "" {
		return ""
	}
	return c.Provider + "/" + c.Instance
}
