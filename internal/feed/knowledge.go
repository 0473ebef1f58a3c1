package feed

import (
	"context"
	"errors"
	"io/fs"
)

// Newest returns the installed revision, and whether all consoles are to have it:
// one that has not yet taken what another has handed on must not have the fleet
// matched against what was known before.
func (s *Service) Newest(ctx context.Context) (rev *Revision, settled bool, err error) {
	if rev, err = s.store.Current(ctx); err != nil || s.settings.Shared == nil {
		return rev, err == nil, err
	}
	h, err := s.handed(ctx)
	return rev, err == nil && (h.revision == rev.ID() || h.revision == "" && rev.Sample()), err
}

// Revision returns the revision of an id if its file is there still: the installed
// one's, or that of the one before. Whoever asked holds it for as long as it is used.
func (s *Service) Revision(_ context.Context, id string) (rev *Revision, found bool, err error) {
	if !revisionID.MatchString(id) {
		return nil, false, nil
	}
	rev, err = openRevision(s.store.revisionPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return rev, err == nil, err
}
