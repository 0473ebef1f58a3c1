package fleet

import (
	"context"
	"database/sql"
	"time"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// Get returns one node.
func (s *Service) Get(ctx context.Context, id string) (Node, error) {
	scope, err := s.Scope(ctx)
	if err != nil {
		return Node{}, err
	}
	if !scope.Has(id) {
		return Node{}, problem.NotFound("node", id)
	}
	node, err := db.One(s.db.Read().QueryRowContext(ctx, selectNodes+` WHERE n.id = $1`, id), s.readNode)
	if err == db.ErrNotFound {
		return node, problem.NotFound("node", id)
	}
	return node, err
}

// lastSeen is the latest sign of a node: of a container that runs, its host's.
const lastSeen = `CASE WHEN n.present = 1 AND h.last_seen > n.last_seen THEN h.last_seen ELSE n.last_seen END`

// selectNodes reads what other rooms write of a node (its scans and occurrences):
// reading may join, writing never crosses rooms.
const selectNodes = `SELECT n.id, n.kind, n.name, n.machine_id, n.distribution, n.architecture, n.kernel, n.agent, n.labels, n.first_seen,
	` + lastSeen + `, n.present, h.id, h.name, n.image, n.runtimes, n.label_origins, n.cloud, n.uploaded, n.retired_at,
	last.id, last.state, last.finished_at,
	(SELECT json_group_object(severity, open) FROM node_count WHERE node_id = n.id),
	(SELECT CAST(sum(decided) AS BIGINT) FROM node_count WHERE node_id = n.id),
	i.ecosystems, r.uncovered, good.not_assessed
	FROM node AS n
	LEFT JOIN node AS h ON h.id = n.host_id
	LEFT JOIN scan AS last ON last.id = (SELECT max(id) FROM scan WHERE node_id = n.id)
	LEFT JOIN sbom AS b ON b.id = n.sbom_id
	LEFT JOIN inventory AS i ON i.id = b.inventory_id
	LEFT JOIN scan AS good ON good.id = (SELECT max(id) FROM scan WHERE node_id = n.id AND state = 'complete')
	LEFT JOIN result AS r ON r.id = good.result_id`

func (s *Service) readNode(scan db.Scan) (Node, error) {
	n := Node{NotAssessed: []match.NotAssessed{}, Runtimes: []wire.Runtime{}}
	var present int
	var hostID, hostName *string
	var image wire.Image
	var last struct {
		id, state *string
		finished  time.Time
	}
	var labels origins
	var cloud wire.Cloud
	var uploaded int
	var decided sql.NullInt64
	var ecosystems []string
	var blind []match.NotAssessed
	err := scan(&n.ID, &n.Kind, &n.Name, &n.MachineID, db.JSON{Into: &n.Distribution}, &n.Architecture, &n.Kernel, &n.AgentVersion,
		db.JSON{Into: &n.Labels}, db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen},
		&present, &hostID, &hostName, db.JSON{Into: &image}, db.JSON{Into: &n.Runtimes},
		db.JSON{Into: &labels}, db.JSON{Into: &cloud}, &uploaded, db.Time{Time: &n.RetiredAt},
		&last.id, &last.state, db.Time{Time: &last.finished},
		db.JSON{Into: &n.Counts}, &decided, db.JSON{Into: &ecosystems}, db.JSON{Into: &n.NotAssessed}, db.JSON{Into: &blind})
	if err != nil {
		return n, err
	}
	now := s.now()
	n.Uploaded = uploaded == 1
	n.State = state(present == 1, n.Uploaded, n.RetiredAt, n.LastSeen, now)
	if hostID != nil {
		n.Host, n.Image = &NodeName{*hostID, *hostName, Host}, &image
	}
	_, n.LabelOrigins = labels.merged()
	if cloud.Instance != "" {
		n.Cloud = &cloud
	}
	n.Decided = int(decided.Int64)
	if last.id != nil {
		n.LastScan = &LastScan{ID: *last.id, State: *last.state, FinishedAt: last.finished}
	}
	n.NotAssessed = append(append(n.NotAssessed, blind...), match.Unsupported(ecosystems, now)...)
	return n, nil
}
