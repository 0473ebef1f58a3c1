package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"patrol/internal/collect/imagefs"
)

// config is what matters of an image's configuration (OCI image specification,
// "Image Configuration").
type config struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []struct {
		CreatedBy  string `json:"created_by"`
		EmptyLayer bool   `json:"empty_layer"`
	} `json:"history"`
}

// configure takes over the configuration of an image with that many layers, and
// returns them with their digests and instructions.
func (i *Image) configure(raw []byte, layers int) error {
	var c config
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if n := len(c.RootFS.DiffIDs); n != layers {
		return fmt.Errorf("it has %d layers, but its configuration has digests of %d", layers, n)
	}
	i.Platform = v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	i.Layers = make([]imagefs.Layer, layers)
	for n, id := range c.RootFS.DiffIDs {
		digest, err := v1.NewHash(id)
		if err != nil || digest.Algorithm != "sha256" {
			return fmt.Errorf("its configuration: layer %d has %.100q for a digest", n+1, id)
		}
		i.Layers[n].Digest = digest.String()
	}
	n := 0
	for _, h := range c.History {
		if h.EmptyLayer || n == layers {
			continue
		}
		i.Layers[n].Instruction = instruction(h.CreatedBy)
		n++
	}
	return nil
}

// maxInstruction is how many bytes of an instruction are kept. A heredoc can be
// a whole program.
const maxInstruction = 4096

// instruction is the line of the Dockerfile. The classic builder writes what it
// ran, and marks what is no command.
func instruction(createdBy string) string {
	s := strings.TrimSpace(createdBy)
	if rest, ok := strings.CutPrefix(s, "/bin/sh -c #(nop)"); ok {
		s = strings.TrimSpace(rest)
	} else if rest, ok := strings.CutPrefix(s, "/bin/sh -c "); ok {
		s = "RUN " + rest
	}
	s = strings.ToValidUTF8(strings.TrimSuffix(s, " # buildkit"), "\uFFFD")
	if len(s) > maxInstruction {
		s = strings.ToValidUTF8(s[:maxInstruction], "") + "…"
	}
	return s
}

// maxParts is how many parts a manifest, index or configuration may have. Decoded,
// each is up to a hundred times its text.
const maxParts = 50_000

// checkParts refuses JSON with more parts: there is a comma before each but the
// first.
func checkParts(raw []byte) error {
	if n := bytes.Count(raw, []byte(",")); n > maxParts {
		return fmt.Errorf("it has %d parts, more than %d: not read", n, maxParts)
	}
	return nil
}

// readJSON reads a description of at most maxJSON bytes.
func readJSON(r *io.SectionReader, what string) ([]byte, error) {
	if r.Size() > maxJSON {
		return nil, fmt.Errorf("%s has %d bytes, more than %d: not read", what, r.Size(), maxJSON)
	}
	raw, err := io.ReadAll(r)
	if err == nil && int64(len(raw)) < r.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return raw, nil
}
