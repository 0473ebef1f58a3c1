package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/wire"
)

// A node is known by its agent's credential, and that is a file: who clones a
// machine clones it, and who builds a machine anew loses it. So an agent also says
// which process it is and, as far as it can tell, which machine it runs on.
//
// Two machines under one credential are told apart: the second is refused while
// the first is there. One machine with a second credential is told too: its node
// stays, and the first credential ends.

// known is what the console has of a node when its agent speaks.
type known struct {
	id         string
	name       string
	key        string
	labels     origins
	machineID  string
	hardwareID string
	cloud      wire.Cloud
	session    string
	sessions   sessions
	lastSeen   time.Time
	silent     bool
	retired    bool
}

const selectKnown = `SELECT id, name, enrolment_key, label_origins, machine_id, hardware_id, cloud, session, sessions, last_seen, silent_at, retired_at FROM node `

func readKnown(scan db.Scan) (k known, err error) {
	var silent, retired time.Time
	err = scan(&k.id, &k.name, &k.key, db.JSON{Into: &k.labels}, &k.machineID, &k.hardwareID, db.JSON{Into: &k.cloud}, &k.session,
		db.JSON{Into: &k.sessions}, db.Time{Time: &k.lastSeen}, db.Time{Time: &silent}, db.Time{Time: &retired})
	k.silent, k.retired = !silent.IsZero(), !retired.IsZero()
	return k, err
}

// live tells whether an agent spoke for the node lately.
func (k known) live(now time.Time) bool {
	return !k.retired && now.Sub(k.lastSeen) <= 3*HeartbeatInterval
}

// isAnother tells whether a machine is certainly not the node's. What is not known
// of one of them tells nothing, and neither do machine ids: they are cloned, and
// made anew.
func (k known) isAnother(m wire.Machine) bool {
	if have, said := k.cloud.Key(), m.Cloud.Key(); have != "" && said != "" {
		return have != said
	}
	return k.hardwareID != "" && m.HardwareID != "" && k.hardwareID != m.HardwareID
}

// sessions are the agent's processes beside the one that the node has now.
type sessions struct {
	// Since is when the present one came.
	Since time.Time `json:"since,omitzero"`
	// Former ones had the node before, newest first.
	Former []string `json:"former,omitempty"`
	// Refused ones came while another was there.
	Refused []string `json:"refused,omitempty"`
	// Shared is when one was refused last.
	Shared time.Time `json:"shared,omitzero"`
}

// sharedAt tells whether somebody was refused lately.
func (s sessions) sharedAt(now time.Time) bool {
	return !s.Shared.IsZero() && now.Sub(s.Shared) <= 3*HeartbeatInterval
}

const (
	// maxSessions bounds what is kept of each.
	maxSessions = 16
	// overlap is how long a heartbeat of a process that ended may be on its way.
	overlap = HeartbeatInterval / 3
)

// verdict is what becomes of a heartbeat.
type verdict int

const (
	welcome verdict = iota
	clone           // refused: the node is another's
	caught          // welcome: and the one that came after it is refused from now on
	late            // of a process that ended; it changes nothing
)

// judge decides whose the node is, and notes it. A process that comes back after
// another one came shows that both run: a restarted agent never comes back as the
// one it was.
func (k *known) judge(f wire.Facts, now time.Time) (v verdict, changed bool) {
	s, live := &k.sessions, k.live(now)
	switch {
	case f.Session == "" || f.Session == k.session:
		return welcome, false
	case live && slices.Contains(s.Refused, f.Session):
		return clone, false
	case live && k.isAnother(f.Machine):
		s.Refused, s.Shared = push(s.Refused, f.Session), now
		return clone, true
	case live && slices.Contains(s.Former, f.Session):
		if now.Sub(s.Since) < overlap {
			return late, false
		}
		s.Refused, s.Shared = push(s.Refused, k.session), now
		s.Former = slices.DeleteFunc(s.Former, func(former string) bool { return former == f.Session })
		k.session, s.Since = f.Session, now
		return caught, true
	}
	if !live {
		s.Refused = nil // nobody is there whom they could be taken for
	}
	if k.session != "" {
		s.Former = push(s.Former, k.session)
	}
	k.session, s.Since = f.Session, now
	return welcome, true
}

func push(list []string, item string) []string {
	list = slices.Insert(list, 0, item)
	return list[:min(len(list), maxSessions)]
}

// Why a registration gave a node that was there before.
const (
	byKey      = "key"      // the agent registered before
	byInstance = "instance" // another agent did, on the same cloud instance
	byHardware = "hardware" // another agent did, on the same machine, and is silent
)

// candidates returns the nodes that a registration could mean.
func candidates(ctx context.Context, tx *db.Tx, in wire.RegisterRequest) ([]known, error) {
	m := in.Facts.Machine
	found := []known{}
	for _, query := range []struct {
		where string
		args  []any
	}{
		{`enrolment_key IN ($1, $2)`, []any{in.Key, ownKey(in)}},
		{`cloud_instance = $1 AND cloud_instance <> ''`, []any{m.Cloud.Key()}},
		{`hardware_id = $1 AND machine_id = $2 AND hardware_id <> '' AND machine_id <> ''`, []any{m.HardwareID, in.Facts.MachineID}},
	} {
		rows, err := tx.QueryContext(ctx, selectKnown+`WHERE uploaded = 0 AND kind = 'host' AND `+query.where+` ORDER BY last_seen DESC, id LIMIT 100`, query.args...)
		list, err := db.All(rows, err, readKnown)
		if err != nil {
			return nil, err
		}
		found = append(found, list...)
	}
	return found, nil
}

// pick returns the node that a registration means, with the reason, and the key
// that it is to have; "" as the reason where it means a new one. Candidates come
// last seen first.
func pick(found []known, in wire.RegisterRequest, now time.Time) (k known, reason, key string) {
	m := in.Facts.Machine
	at := func(matches func(known) bool) (known, bool) {
		if i := slices.IndexFunc(found, matches); i >= 0 {
			return found[i], true
		}
		return known{}, false
	}
	plain, taken := at(func(k known) bool { return k.key == in.Key })
	key = in.Key
	if taken && plain.isAnother(m) {
		key = ownKey(in) // a clone of a machine that had its key already
	}
	if k, ok := at(func(k known) bool { return m.Cloud.Key() != "" && k.cloud.Key() == m.Cloud.Key() }); ok {
		if taken && plain.id != k.id {
			key = ownKey(in)
		}
		return k, byInstance, key
	}
	if k, ok := at(func(k known) bool { return k.key == ownKey(in) }); ok {
		return k, byKey, k.key
	}
	if taken && !(plain.isAnother(m) && plain.live(now)) {
		return plain, byKey, in.Key
	}
	same := func(k known) bool {
		return m.HardwareID != "" && k.hardwareID == m.HardwareID && in.Facts.MachineID != "" && k.machineID == in.Facts.MachineID
	}
	if k, ok := at(func(k known) bool { return same(k) && !k.isAnother(m) && !k.live(now) }); ok && !taken {
		return k, byHardware, key
	}
	return known{}, "", key
}

// ownKey is the key of a machine whose agent was cloned together with its key.
func ownKey(in wire.RegisterRequest) string {
	sum := sha256.Sum256([]byte(in.Facts.Machine.Cloud.Key() + "\n" + in.Facts.Machine.HardwareID))
	return in.Key + "/" + hex.EncodeToString(sum[:8])
}
