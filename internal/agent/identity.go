package agent

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// identity is what an agent keeps: the file agent.json, readable by its owner
// alone.
type identity struct {
	Console string `json:"console"`
	// Key is made up before the first registration and sent with each, so that
	// one whose answer was lost does not make a second node.
	Key        string `json:"key"`
	Node       string `json:"node,omitempty"`
	Credential string `json:"credential,omitempty"`
}

// loadIdentity reads the identity, or makes and keeps a new one. Where the console
// has another address than before, the agent registers there with its old key: if
// it is the same console it has the same node, and if it is not, it never sees the
// credential of the other.
func loadIdentity(dir, console string) (identity, error) {
	var id identity
	if dir == "" {
		return identity{Console: console, Key: rand.Text()}, nil
	}
	path := filepath.Join(dir, "agent.json")
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return id, fmt.Errorf("read the agent's identity: %w", err)
	default:
		if err := json.Unmarshal(data, &id); err != nil {
			return id, fmt.Errorf("read the agent's identity %s: %w; remove the file to register anew", path, err)
		}
		if id.Console == console {
			return id, nil
		}
	}
	id = identity{Console: console, Key: cmp.Or(id.Key, rand.Text())}
	return id, id.save(dir)
}

// save replaces the file in one step: a crash leaves the old identity or the new.
func (id identity) save(dir string) (err error) {
	if dir == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keep the agent's identity: %w; choose another directory with --data-dir", err)
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "agent-*.json") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	if _, err := file.Write(append(data, '\n')); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(dir, "agent.json"))
}
