package fleet

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// The origins of labels. Where two give a label of one name, the later one wins:
// what a person says of a machine stands above what its agent was told, and that
// above what was found.
const (
	FromCloud      = "cloud"
	FromKubernetes = "kubernetes"
	FromAgent      = "agent"
	ByHand         = "hand"
)

var precedence = []string{FromCloud, FromKubernetes, FromAgent, ByHand}

// origins are a node's labels by what they come from.
type origins map[string]map[string]string

// merged is what the labels come to, and what each of them comes from.
func (o origins) merged() (labels, from map[string]string) {
	labels, from = make(map[string]string), make(map[string]string)
	for _, origin := range precedence {
		for name, value := range o[origin] {
			labels[name], from[name] = value, origin
		}
	}
	return labels, from
}

// found takes over what an agent says now; what was written by hand stays.
func (o origins) found(f wire.Facts) origins {
	said := origins{FromCloud: f.CloudLabels, FromKubernetes: f.KubernetesLabels, FromAgent: f.Labels, ByHand: o[ByHand]}
	maps.DeleteFunc(said, func(_ string, labels map[string]string) bool { return len(labels) == 0 })
	return said
}

// to tells what becomes of the labels when others are said; false if they stay.
func (o origins) to(said origins) (change LabelChange, changed bool) {
	before, _ := o.merged()
	after, _ := said.merged()
	change.Set = make(map[string]string)
	for name, value := range after {
		if had, ok := before[name]; !ok || had != value {
			change.Set[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[name]; !still {
			change.Remove = append(change.Remove, name)
		}
	}
	return change, len(change.Set) > 0 || len(change.Remove) > 0
}

// LabelChange is what a person changes of a node's labels.
type LabelChange struct {
	Set    map[string]string `json:"set,omitempty" doc:"Labels to set by hand; they win over those of the same name from elsewhere."`
	Remove []string          `json:"remove,omitempty" maxItems:"64" doc:"Names of labels that were set by hand; one of the same name from elsewhere shows again."`
}

// SetLabels changes the labels that were set by hand, and returns the node.
func (s *Service) SetLabels(ctx context.Context, node string, change LabelChange) (Node, error) {
	for name, value := range change.Set {
		if name == "" || len(name) > maxFact || len(value) > maxFact || clean(name) != name || clean(value) != value {
			return Node{}, problem.Invalid("set", "a label has a name, of which as of the value there are at most %d bytes of text", maxFact)
		}
		if slices.Contains(change.Remove, name) {
			return Node{}, problem.Invalid("remove", "has a label that is in set, too")
		}
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var have origins
		var name string
		row := tx.QueryRowContext(ctx, `SELECT name, label_origins FROM node WHERE id = $1`, node)
		if _, err := db.One(row, func(scan db.Scan) (_ struct{}, err error) { return struct{}{}, scan(&name, db.JSON{Into: &have}) }); err != nil {
			if err == db.ErrNotFound {
				err = problem.NotFound("node", node)
			}
			return err
		}
		before := have[ByHand]
		hand := maps.Clone(before)
		if hand == nil {
			hand = make(map[string]string)
		}
		maps.Copy(hand, change.Set)
		for _, name := range change.Remove {
			delete(hand, name)
		}
		if len(hand) > maxLabels {
			return problem.Invalid("set", "a node has at most %d labels by hand", maxLabels)
		}
		if have == nil {
			have = make(origins)
		}
		have[ByHand] = hand
		if err := keepLabels(ctx, tx, node, have); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, s.now(), "node.labelled", audit.Subject{Kind: "node", ID: node, Name: name}, before, hand); err != nil {
			return err
		}
		return event.AppendTo(ctx, tx, s.now(), event.Of(node), "node.labelled", node, change)
	})
	if err != nil {
		return Node{}, err
	}
	return s.Get(ctx, node)
}

func keepLabels(ctx context.Context, tx *db.Tx, node string, o origins) error {
	from, labels, err := columns(o)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE node SET label_origins = $2, labels = $3 WHERE id = $1`, node, from, labels); err != nil {
		return fmt.Errorf("label node %s: %w", node, err)
	}
	merged, _ := o.merged()
	return indexLabels(ctx, tx, node, merged)
}

// columns returns the values of label_origins and labels.
func columns(o origins) (from, labels string, err error) {
	if from, err = db.ToJSON(o); err != nil {
		return "", "", err
	}
	merged, _ := o.merged()
	labels, err = db.ToJSON(merged)
	return from, labels, err
}
