package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
)

// An SBOM that somebody uploads makes a node without an agent, known by its kind
// and name. It is there until a person retires it: nothing tells how long what it
// describes is.

// Upload says which node an SBOM is of.
type Upload struct {
	Kind, Name string
	// Labels replace those of the upload before; those set by hand stay.
	Labels map[string]string
}

// uploadPrefix begins the keys of uploaded nodes, and no agent's.
const uploadPrefix = "upload/"

func isUploadKey(key string) bool { return strings.HasPrefix(key, uploadPrefix) }

// Check refuses what a node cannot have.
func (u Upload) Check() error {
	switch u.Kind {
	case Host, Container, Image:
	default:
		return problem.Invalid("kind", "is none of %s, %s and %s", Host, Container, Image)
	}
	if u.Name == "" || len(u.Name) > maxFact || clean(u.Name) != u.Name {
		return problem.Invalid("name", "needs 1 to %d bytes of text", maxFact)
	}
	for name, value := range u.Labels {
		if name == "" || len(name) > maxFact || len(value) > maxFact || clean(name) != name || clean(value) != value {
			return problem.Invalid("label", "a label has a name, of which as of the value there are at most %d bytes of text", maxFact)
		}
	}
	if len(u.Labels) > maxLabels {
		return problem.Invalid("label", "a node has at most %d labels", maxLabels)
	}
	return nil
}

// Uploaded makes or updates the node of an upload, and notes that the document of
// that digest, which the console has, is what it has now.
func (s *Service) Uploaded(ctx context.Context, tx *db.Tx, u Upload, digest string) (node string, err error) {
	now := s.now()
	key := uploadPrefix + u.Kind + "/" + u.Name
	k, err := db.One(tx.QueryRowContext(ctx, selectKnown+`WHERE enrolment_key = $1`, key), readKnown)
	var what string
	switch {
	case errors.Is(err, db.ErrNotFound):
		what = "node.registered"
		k = known{id: db.NewID()}
		_, err = tx.ExecContext(ctx, `INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen, uploaded)
			VALUES ($1, $2, $3, $4, '', '{}', '', '', '', '{}', $5, $5, 1)`, k.id, key, u.Kind, u.Name, now.UnixMicro())
	case k.retired:
		what = "node.revived"
	}
	if err != nil {
		return "", fmt.Errorf("make a node of the uploaded SBOM %s: %w", u.Name, err)
	}
	labels := origins{FromAgent: u.Labels, ByHand: k.labels[ByHand]}
	if err := keepLabels(ctx, tx, k.id, labels); err != nil {
		return "", err
	}
	result, err := tx.ExecContext(ctx, `UPDATE node SET last_seen = $2, revived_at = CASE WHEN node.retired_at IS NULL THEN node.revived_at ELSE $2 END, retired_at = NULL,
		sbom_id = b.id FROM sbom AS b WHERE node.id = $1 AND b.digest = $3`, k.id, now.UnixMicro(), digest)
	if err != nil {
		return "", fmt.Errorf("note the uploaded SBOM of node %s: %w", k.id, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		// It was here already, nobody had it, and it was swept at this moment.
		return "", errors.Join(err, problem.Conflict("the SBOM was removed as old meanwhile: upload it again"))
	}
	change, changed := k.labels.to(labels)
	switch {
	case what != "":
		err = event.AppendTo(ctx, tx, now, event.Of(k.id), what, k.id, map[string]any{"name": u.Name, "kind": u.Kind})
	case changed:
		err = event.AppendTo(ctx, tx, now, event.Of(k.id), "node.labelled", k.id, change)
	}
	return k.id, err
}
