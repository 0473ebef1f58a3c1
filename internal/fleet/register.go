package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// Register gives an agent its node and a credential for it, and ends those that
// the node had. The same key gives the same node; so do the same cloud instance,
// and the same machine while nobody else speaks for it.
func (s *Service) Register(ctx context.Context, in wire.RegisterRequest) (out wire.RegisterResponse, err error) {
	if in.Facts.Protocol != wire.Version {
		return out, problem.Conflict("this console speaks protocol %d and the agent %d: install the console's version of patrol", wire.Version, in.Facts.Protocol)
	}
	if len(in.Key) < 16 || len(in.Key) > maxFact || clean(in.Key) != in.Key || isUploadKey(in.Key) || strings.HasPrefix(in.Key, childKey) {
		return out, problem.Invalid("key", "needs 16 to %d characters", maxFact)
	}
	if in.Facts, err = check(in.Facts); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		k, events, err := s.register(ctx, tx, in)
		if err != nil {
			return fmt.Errorf("register node %s: %w", in.Facts.Name, err)
		}
		issued, err := s.auth.IssueAgent(ctx, tx, k.id, in.Facts.Name)
		if err != nil {
			return err
		}
		out = wire.RegisterResponse{Node: k.id, Credential: issued.Token}
		return s.write(ctx, tx, k.id, events)
	})
	return out, err
}

// What an agent may say of its machine: everybody who lists nodes reads it.
const (
	maxFact   = 256 // bytes
	maxLabels = 64
)

// check refuses facts that are out of bounds, and returns the others with their
// text made such that a database can hold it.
func check(f wire.Facts) (wire.Facts, error) {
	f.Labels, f.CloudLabels, f.KubernetesLabels = cleanLabels(f.Labels), cleanLabels(f.CloudLabels), cleanLabels(f.KubernetesLabels)
	said := []*string{
		&f.Name, &f.Agent, &f.MachineID, &f.Architecture, &f.Kernel, &f.Distribution.ID, &f.Distribution.Version, &f.Distribution.Name, &f.Session,
		&f.Machine.HardwareID, &f.Machine.Cloud.Provider, &f.Machine.Cloud.Account, &f.Machine.Cloud.Region, &f.Machine.Cloud.Zone,
		&f.Machine.Cloud.Instance, &f.Machine.Cloud.InstanceType,
	}
	fits := true
	for _, text := range said {
		*text = clean(*text)
		fits = fits && len(*text) <= maxFact
	}
	for _, labels := range []map[string]string{f.Labels, f.CloudLabels, f.KubernetesLabels} {
		fits = fits && len(labels) <= maxLabels
		for name, value := range labels {
			fits = fits && len(name) <= maxFact && len(value) <= maxFact
		}
	}
	switch {
	case f.Name == "":
		return f, problem.Invalid("name", "is empty")
	case !fits:
		return f, problem.Invalid("facts", "a machine has at most %d labels of each origin, and each fact %d bytes", maxLabels, maxFact)
	}
	return f, nil
}

func clean(text string) string { return sbom.CleanText(text) }

func cleanLabels(labels map[string]string) map[string]string {
	cleaned := make(map[string]string, len(labels))
	for name, value := range labels {
		cleaned[clean(name)] = clean(value)
	}
	return cleaned
}

// happened is an event to be written at the end of a transaction.
type happened struct {
	kind string
	data any
}

// arrival tells whether the event is that a node came.
func (h happened) arrival() bool {
	return h.kind == "node.registered" || h.kind == "node.reregistered" || h.kind == "node.revived"
}

// arrive tells other rooms of nodes that came.
func (s *Service) arrive(ctx context.Context, tx *db.Tx, nodes []NodeName) error {
	if len(nodes) == 0 {
		return nil
	}
	for _, tell := range s.lifecycle.OnArrive {
		if err := tell(ctx, tx, nodes); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) write(ctx context.Context, tx *db.Tx, node string, events []happened) error {
	if slices.ContainsFunc(events, happened.arrival) {
		if err := s.arrive(ctx, tx, []NodeName{{ID: node, Kind: Host}}); err != nil {
			return err
		}
	}
	for _, e := range events {
		if err := event.AppendTo(ctx, tx, s.now(), event.Of(node), e.kind, node, e.data); err != nil {
			return err
		}
	}
	return nil
}

// register finds the node that an agent means, or makes one.
func (s *Service) register(ctx context.Context, tx *db.Tx, in wire.RegisterRequest) (known, []happened, error) {
	found, err := candidates(ctx, tx, in)
	if err != nil {
		return known{}, nil, err
	}
	now := s.now()
	k, reason, key := pick(found, in, now)
	var events []happened
	if reason == "" {
		k = known{id: db.NewID(), key: key, lastSeen: now}
		_, err := tx.ExecContext(ctx, `INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen)
			VALUES ($1, $2, $3, $4, '', '{}', '', '', '', '{}', $5, $5)`, k.id, k.key, Host, in.Facts.Name, now.UnixMicro())
		if err != nil {
			return k, nil, err
		}
		k.labels = origins{}.found(in.Facts) // which are no news of a node that is new
		events = append(events, happened{"node.registered", map[string]any{"name": in.Facts.Name, "kind": Host}})
	} else if reason != byKey {
		// The answer may be lost: who asks again is to have the same node.
		_, err := tx.ExecContext(ctx, `UPDATE node SET enrolment_key = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM node WHERE enrolment_key = $2)`, k.id, key)
		if err != nil {
			return k, nil, err
		}
		events = append(events, happened{"node.reregistered", map[string]any{"name": in.Facts.Name, "because": reason, "was_active": k.live(now)}})
	}
	if k.isAnother(in.Facts.Machine) {
		k.cloud, k.hardwareID = wire.Cloud{}, "" // the key went on to another machine
	}
	k.session, k.sessions = in.Facts.Session, sessions{Since: now}
	more, err := s.seen(ctx, tx, k, in.Facts)
	return k, append(events, more...), err
}

func keepSessions(ctx context.Context, tx *db.Tx, k known) error {
	text, err := db.ToJSON(k.sessions)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE node SET session = $2, sessions = $3 WHERE id = $1`, k.id, k.session, text)
	if err != nil {
		return fmt.Errorf("note sessions of node %s: %w", k.id, err)
	}
	return nil
}

// seen writes what an agent says of its node, which is there now: a node that was
// silent is active again, and one that was retired is revived.
func (s *Service) seen(ctx context.Context, tx *db.Tx, k known, f wire.Facts) ([]happened, error) {
	now := s.now()
	distribution, err := db.ToJSON(f.Distribution)
	if err != nil {
		return nil, err
	}
	said := k.labels.found(f)
	from, labels, err := columns(said)
	if err != nil {
		return nil, err
	}
	// A metadata service that is silent today does not make it another machine.
	if f.Machine.Cloud.Instance != "" {
		k.cloud = f.Machine.Cloud
	}
	if f.Machine.HardwareID != "" {
		k.hardwareID = f.Machine.HardwareID
	}
	cloud, err := db.ToJSON(k.cloud)
	if err != nil {
		return nil, err
	}
	text, err := db.ToJSON(k.sessions)
	if err != nil {
		return nil, err
	}
	digest, err := digestOfFacts(f)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE node SET name = $2, machine_id = $3, distribution = $4, architecture = $5, kernel = $6, agent = $7,
		labels = $8, label_origins = $9, cloud = $10, cloud_instance = $11, hardware_id = $12, session = $13, sessions = $14, last_seen = $15,
		revived_at = CASE WHEN retired_at IS NULL THEN revived_at ELSE $15 END, retired_at = NULL, silent_at = NULL, said = $16 WHERE id = $1`,
		k.id, f.Name, f.MachineID, distribution, f.Architecture, f.Kernel, f.Agent,
		labels, from, cloud, k.cloud.Key(), k.hardwareID, k.session, text, now.UnixMicro(), digest)
	if err != nil {
		return nil, fmt.Errorf("note heartbeat of node %s: %w", k.id, err)
	}
	merged, _ := said.merged()
	if err := indexLabels(ctx, tx, k.id, merged); err != nil {
		return nil, err
	}
	events := back(k, f.Name)
	if change, changed := k.labels.to(said); changed {
		events = append(events, happened{"node.labelled", change})
	}
	return events, nil
}

// back tells of a node that speaks again.
func back(k known, name string) []happened {
	switch {
	case k.retired:
		return []happened{{"node.revived", map[string]any{"name": name}}}
	case k.silent:
		return []happened{{"node.active", map[string]any{"name": name}}}
	}
	return nil
}
