package wire

// The kinds of what an agent finds on its host.
const (
	ContainerKind = "container"
	ImageKind     = "image"
)

// ChildrenLimit is how many containers and images one host may have.
const ChildrenLimit = 5000

// Child is a container that runs on the agent's host, or an image that is kept
// there.
type Child struct {
	Kind string `json:"kind"` // container, image
	// Runtime is the name of the runtime that has it.
	Runtime string `json:"runtime"`
	// Key is its runtime's own name for it, and stays: an id, or a digest.
	Key    string            `json:"key"`
	Name   string            `json:"name"`
	Image  Image             `json:"image"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Image is what a container was made of, or the image itself.
type Image struct {
	// Reference is how people name it, such as debian:12; may be empty.
	Reference string `json:"reference"`
	// Digest is the one that its runtime knows it by: its configuration's with
	// Docker and CRI, its manifest's or index's with containerd.
	Digest string `json:"digest"`
}

// ChildKey names a child of a host.
type ChildKey struct {
	Kind string `json:"kind"`
	Key  string `json:"key"`
}

// Runtime says whether a container runtime of the host can be asked.
type Runtime struct {
	Name string `json:"name"` // "kind:socket"
	// Error is why it cannot be asked now; empty if it can.
	Error string `json:"error,omitempty"`
}

// ChildrenRequest says what there is on the agent's host, or what changed there.
type ChildrenRequest struct {
	// Runtimes are all that the agent found.
	Runtimes []Runtime `json:"runtimes"`
	// Full says that Children are all there are: others are gone, but for those of
	// a runtime that cannot be asked.
	Full     bool    `json:"full"`
	Children []Child `json:"children"`
	// Gone are those that have ended or were removed.
	Gone []ChildKey `json:"gone,omitempty"`
}

// Target is what a command is about, where that is not the agent's host itself.
type Target struct {
	Kind    string `json:"kind"`
	Runtime string `json:"runtime"`
	Key     string `json:"key"`
}
