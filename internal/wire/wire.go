// Package wire is the protocol between agents and the console: plain JSON over
// HTTP under /wire/v1, asked by the agent alone.
//
// An agent registers with an enrolment token and gets a credential bound to its
// node. It sends heartbeats, claims commands, extends their leases while it
// works, and finishes them. A stream tells it at once that there is something to
// claim; without the stream it still asks now and then. Every call may be
// repeated: a lost answer costs nothing but time.
package wire

import (
	"time"

	"patrol/internal/collect"
	"patrol/internal/sbom"
)

// Version is the protocol that this program speaks.
const Version = 1

// PingInterval is how often the stream says that it is alive; an agent that
// hears nothing for three of them reconnects.
const PingInterval = 15 * time.Second

// DocumentLimit is how many bytes an SBOM document may have.
const DocumentLimit = 64 << 20

// Facts is what an agent says of its machine. A node is known by its credential;
// these are attributes.
type Facts struct {
	Protocol     int               `json:"protocol"`
	Agent        string            `json:"agent"` // version of the program
	Name         string            `json:"name"`  // host name
	MachineID    string            `json:"machine_id,omitempty"`
	Distribution sbom.Distribution `json:"distribution,omitzero"`
	Architecture string            `json:"architecture"`
	Kernel       string            `json:"kernel,omitempty"`
	// Labels are those of the agent's flags; the others were found.
	Labels           map[string]string `json:"labels,omitempty"`
	CloudLabels      map[string]string `json:"cloud_labels,omitempty"`
	KubernetesLabels map[string]string `json:"kubernetes_labels,omitempty"`
	Machine          Machine           `json:"machine,omitzero"`
	// Session is a random name of this process. Two that take turns under one
	// credential are two machines, or one agent that was started twice.
	Session string `json:"session,omitempty"`
}

// RegisterRequest asks for a node; it carries an enrolment token.
type RegisterRequest struct {
	// Key is a random name that the agent made up and keeps: registering again
	// with it gives the same node, even if the first answer was lost.
	Key   string `json:"key"`
	Facts Facts  `json:"facts"`
}

// RegisterResponse binds the agent to its node.
type RegisterResponse struct {
	Node       string `json:"node"`
	Credential string `json:"credential"`
}

// HeartbeatResponse says when to come again.
type HeartbeatResponse struct {
	Seconds int `json:"seconds"`
	// Shared says that somebody else came with this agent's credential, and was
	// refused.
	Shared bool `json:"shared,omitempty"`
	// Commands says that there is something to claim, to an agent that the stream
	// did not reach.
	Commands bool `json:"commands,omitempty"`
}

// Command is something that the console asks of the agent.
type Command struct {
	ID      string `json:"id"`
	LeaseID string `json:"lease_id"`
	// LeaseSeconds is how long the agent may be silent about it.
	LeaseSeconds int    `json:"lease_seconds"`
	Kind         string `json:"kind"` // "scan"
	Scan         string `json:"scan,omitempty"`
	// Target is the container or image that the command is about; nil for the host.
	Target *Target `json:"target,omitempty"`
}

// ClaimResponse holds the commands that the agent now has.
type ClaimResponse struct {
	Commands []Command `json:"commands"`
	// RetrySeconds is when to ask again without being told to: an agent that was
	// killed finds its own command leased, and has it back when the lease ends.
	// Zero leaves it to the agent.
	RetrySeconds int `json:"retry_seconds,omitempty"`
}

// ExtendRequest keeps a command. Its answer is 204, or 409 when the command is
// no longer the agent's: cancelled, or taken over.
type ExtendRequest struct {
	LeaseID string `json:"lease_id"`
}

// FinishRequest ends a command with a document, or with an error.
type FinishRequest struct {
	LeaseID        string            `json:"lease_id"`
	DocumentDigest string            `json:"document_digest,omitempty"`
	Warnings       []collect.Warning `json:"warnings,omitempty"`
	Error          string            `json:"error,omitempty"`
}

// FinishResponse asks for the document if the console lacks it: PUT it under
// /wire/v1/sboms/DIGEST, then finish again.
type FinishResponse struct {
	Send bool `json:"send"`
}
