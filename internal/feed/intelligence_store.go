package feed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

func (s *Store) intelligencePath(id string) string {
	return filepath.Join(s.dir, "intelligence", id+".db")
}

func (s *Store) intelligencePointer() string { return filepath.Join(s.dir, "intelligence", "current") }

// Intelligence returns what is installed of it; one that knows nothing while
// nothing is. It costs one stat(2) unless it was swapped, as [Store.Current] does.
func (s *Store) Intelligence(context.Context) (*Intelligence, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for attempt := 0; ; attempt++ {
		i, err := s.intelligence()
		if err == nil || !errors.Is(err, fs.ErrNotExist) || attempt == 2 {
			return i, err
		}
	}
}

func (s *Store) intelligence() (*Intelligence, error) {
	info, err := os.Stat(s.intelligencePointer())
	if errors.Is(err, fs.ErrNotExist) {
		return new(Intelligence), nil
	}
	if err != nil {
		return nil, fmt.Errorf("intelligence: %w", err)
	}
	if s.known != nil && os.SameFile(info, s.knownPointer) && info.ModTime().Equal(s.knownPointer.ModTime()) {
		return s.known, nil
	}
	p, err := readPointer(s.intelligencePointer())
	if err != nil {
		return nil, err
	}
	i, err := openIntelligence(s.intelligencePath(p.Revision))
	if err != nil {
		return nil, err
	}
	s.known, s.knownPointer = i, info
	return i, nil
}

// installedIntelligence opens what is installed. What cannot be read is as good
// as nothing: an update is the way out.
func (s *Store) installedIntelligence() (*bolt.DB, intelligenceManifest) {
	p, err := readPointer(s.intelligencePointer())
	if err != nil {
		return nil, intelligenceManifest{}
	}
	db, m, err := openIntelligenceFile(s.intelligencePath(p.Revision))
	if err != nil {
		return nil, intelligenceManifest{}
	}
	return db, m
}

// intelligenceManifest says what is installed at this moment.
func (s *Store) intelligenceManifest() intelligenceManifest {
	open, m := s.installedIntelligence()
	if open != nil {
		_ = open.Close() // it was only read
	}
	return m
}
