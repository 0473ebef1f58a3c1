package scan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/collect"
	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

// UploadLimit is how many bytes an uploaded SBOM may have.
const UploadLimit = 64 << 20

// uploads is how many SBOMs are read at once: reading takes several times their
// size in memory.
const uploads = 2

// Accepted is the answer to an upload: its scan goes on by itself.
type Accepted struct {
	Scan           string `json:"scan"`
	Node           string `json:"node"`
	DocumentDigest string `json:"document_digest"`
	Components     int    `json:"components"`
	// Warnings are the components that the scan says cannot be matched.
	Warnings int `json:"warnings" doc:"Components that cannot be matched; the scan names them."`
}

// Upload takes an SBOM in any format that is read, and queues the scan of the node
// that it is of. An unfinished scan of the document before is cancelled.
func (s *Service) Upload(ctx context.Context, u fleet.Upload, data []byte) (Accepted, error) {
	if err := u.Check(); err != nil {
		return Accepted{}, err
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return Accepted{}, ctx.Err()
	}
	read, err := sbom.ReadAny(data)
	if err != nil {
		return Accepted{}, problem.Invalid("document", "%v", err)
	}
	encoded, err := read.Document.Encode()
	if err != nil {
		return Accepted{}, err
	}
	out := Accepted{DocumentDigest: sbom.Digest(encoded), Components: len(read.Document.Components), Warnings: len(read.Warnings)}
	if err := s.fleet.Put(ctx, out.DocumentDigest, encoded); err != nil {
		return Accepted{}, err
	}
	list := make([]collect.Warning, len(read.Warnings))
	for i, w := range read.Warnings {
		list[i] = collect.Warning{Path: w.Component, Message: w.Message}
	}
	warnings, err := db.ToJSON(list)
	if err != nil {
		return Accepted{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if out.Node, err = s.fleet.Uploaded(ctx, tx, u, out.DocumentDigest); err != nil {
			return err
		}
		if err := s.cancelUnfinished(ctx, tx, out.Node, "another SBOM was uploaded"); err != nil {
			return err
		}
		if out.Scan, _, err = s.Start(ctx, tx, out.Node, Cause{Trigger: ByUpload}); err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, `UPDATE scan SET warnings = $2 WHERE id = $1`, out.Scan, warnings); err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "sbom.uploaded", audit.Subject{Kind: "node", ID: out.Node, Name: u.Name}, nil,
			map[string]string{"document_digest": out.DocumentDigest, "scan": out.Scan})
	})
	return out, err
}

// uploadedDocument returns the document of a node that has no agent to collect
// another; false for all other nodes.
func uploadedDocument(ctx context.Context, tx *db.Tx, node string) (document int64, uploaded bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(sbom_id, 0) FROM node WHERE id = $1 AND uploaded = 1`, node).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read what node %s has: %w", node, err)
	}
	return document, true, nil
}

type upload struct {
	Name    string   `query:"name" required:"true" minLength:"1" maxLength:"256" doc:"Name of the node: with its kind it says which node the SBOM is of."`
	Kind    string   `query:"kind" enum:"host,container,image" default:"image"`
	Labels  []string `query:"label,explode" maxItems:"64" doc:"name=value; several times for several. They replace those of the upload before."`
	RawBody []byte   `contentType:"application/octet-stream" doc:"CycloneDX 1.2 to 1.6 (JSON, XML), SPDX 2.2 or 2.3 (JSON, tag-value), Syft's JSON, or Patrol's own, of at most 64 MiB."`
}

func (s *Service) uploadRoute(api huma.API) {
	rest.Handle(api, access.Operator, rest.Also(huma.Operation{
		OperationID: "upload-sbom", Method: http.MethodPost, Path: "/api/v1/sboms", Summary: "Upload an SBOM, and match it", Tags: []string{"sboms"},
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: UploadLimit, BodyReadTimeout: 10 * time.Minute,
	}, auth.CI), func(ctx context.Context, in *upload) (*rest.Body[Accepted], error) {
		labels := make(map[string]string, len(in.Labels))
		for _, label := range in.Labels {
			name, value, ok := strings.Cut(label, "=")
			if !ok {
				return nil, problem.Invalid("label", "is written name=value")
			}
			labels[name] = value
		}
		return rest.JSON(s.Upload(ctx, fleet.Upload{Kind: in.Kind, Name: in.Name, Labels: labels}, in.RawBody))
	})
}
