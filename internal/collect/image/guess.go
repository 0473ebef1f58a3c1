package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"patrol/internal/collect/imagefs"
)

// Kinds that Guess may return besides those of this package.
const (
	Dir  = "dir"  // a directory that is the root of a tree
	SBOM = "sbom" // a document that says what is installed
)

// Guess says what an argument without a kind is likely to mean, as "kind:where".
// Something of that name on this machine comes first, a registry last. It fails
// for what could be none of all.
func Guess(arg string) (target string, err error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		if _, err := os.Stat(filepath.Join(arg, "oci-layout")); err == nil {
			return OCIDir + ":" + arg, nil
		}
		return Dir + ":" + arg, nil
	case err == nil && info.Mode().IsRegular():
		kind, err := guessFile(arg)
		if err != nil {
			return "", fmt.Errorf("guessing what %s is: %w", arg, err)
		}
		return kind + ":" + arg, nil
	case err == nil:
		return "", fmt.Errorf("%s is neither a file nor a directory", arg)
	}
	// The name of an image neither begins like a path nor ends like a file.
	if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, ".") || strings.HasSuffix(arg, ".tar") {
		return "", err
	}
	if _, refErr := name.ParseReference(arg); refErr != nil {
		return "", errors.Join(err, refErr)
	}
	return Registry + ":" + arg, nil
}

// guessFile looks at how a file begins, and at the names in an archive.
func guessFile(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	if n == 0 {
		return "", errors.New("it is empty")
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\uFEFF")), " \t\r\n")
	if bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("<")) {
		return SBOM, nil
	}
	return guessArchive(io.NewSectionReader(f, 0, info.Size()))
}

// guessArchive tells by the names in the archive. What an image is saved as has
// few entries; the first that cannot be one of them decides.
func guessArchive(file *io.SectionReader) (string, error) {
	kind := ""
	err := imagefs.Names(file, func(name string) bool {
		base, _, _ := strings.Cut(name, "/")
		switch {
		case name == "manifest.json":
			kind = DockerArchive
			return false
		case name == "oci-layout", name == "index.json":
			kind = OCIArchive // unless manifest.json follows
		case name == "", base == "blobs", name == "repositories", isID(strings.TrimSuffix(base, ".json")), isID(strings.TrimSuffix(base, ".tar")):
		default:
			kind = Tar
			return false
		}
		return true
	})
	if kind == "" && err == nil {
		kind = Tar
	}
	if kind == "" {
		return "", fmt.Errorf("neither an SBOM nor a tar archive: %w", err)
	}
	return kind, nil
}

// isID tells of the names that docker-save gives to layers and configurations.
func isID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
