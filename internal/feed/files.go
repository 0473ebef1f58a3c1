package feed

import (
	"errors"
	"io/fs"
	"path"
)

// Files names what a copy of the installed feed needs: slash-separated paths in
// the feed directory. Each file of a revision never changes; those named current
// are replaced whole.
func (s *Store) Files() ([]string, error) {
	files := []string{}
	for _, part := range []struct{ pointer, revisions string }{
		{"current", "revisions"}, {"intelligence/current", "intelligence"},
	} {
		p, err := readPointer(s.path(part.pointer))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, part.pointer, path.Join(part.revisions, p.Revision+".db"))
	}
	return files, nil
}
