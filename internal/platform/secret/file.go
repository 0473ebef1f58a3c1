package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"
)

// keyFile is where keys stand: identities as age-keygen writes them, one in a line.
// At any instant it is whole: what is written stands beside it until it is on disk.
type keyFile struct {
	path string
	// reached, for tests, is told of each step of writing.
	reached func(step string)
}

// fileLimit is how large a key file may be, in bytes.
const fileLimit = 64 << 10

const header = `# The keys by which this console's secrets are sealed, the present one first.
# Without them the secrets are lost: keep a copy, apart from those of the database.
`

// load reads the keys. The error is fs.ErrNotExist if there is no file.
func (f keyFile) load() ([]*age.X25519Identity, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s may be read by others than its owner (%#o): chmod 600 %s", f.path, mode, f.path)
	}
	text, err := io.ReadAll(io.LimitReader(file, fileLimit+1))
	if err != nil {
		return nil, err
	}
	if len(text) > fileLimit {
		return nil, fmt.Errorf("%s is larger than a key file is: put back the right one", f.path)
	}
	keys, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; put back a copy of it", f.path, err)
	}
	return keys, nil
}

// parse reads keys that are separated by lines or commas. Lines that begin with #
// are none. Errors do not quote: a key with a slip is still a secret.
func parse(text string) ([]*age.X25519Identity, error) {
	keys := []*age.X25519Identity{}
	line := 0
	for words := range strings.Lines(text) {
		line++
		if strings.HasPrefix(strings.TrimSpace(words), "#") {
			continue
		}
		for word := range strings.SplitSeq(words, ",") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			key, err := age.ParseX25519Identity(word)
			if err != nil {
				return nil, fmt.Errorf("line %d is no whole key such as AGE-SECRET-KEY-1…, as age-keygen makes them", line)
			}
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key (AGE-SECRET-KEY-1…)")
	}
	return keys, nil
}

// create makes the file with a new key, unless another does at the same time.
func (f keyFile) create() error {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	temporary, err := f.write([]*age.X25519Identity{key})
	if err != nil {
		return err
	}
	err = os.Link(temporary, f.path) // a link, unlike a rename, replaces nothing
	f.reach("linked")
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(temporary))
}

// replace puts other keys in the file.
func (f keyFile) replace(keys []*age.X25519Identity) error {
	temporary, err := f.write(keys)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	f.reach("renamed")
	err = errors.Join(f.syncDir(), f.sweep())
	f.reach("replaced")
	return err
}

// write writes keys beside the file, and returns where they are on disk.
func (f keyFile) write(keys []*age.X25519Identity) (path string, err error) {
	file, err := os.CreateTemp(filepath.Dir(f.path), f.temporary()+"*") // mode 0600
	if err != nil {
		return "", err
	}
	f.reach("begun")
	var text strings.Builder
	text.WriteString(header)
	for _, key := range keys {
		text.WriteString(lines(key))
	}
	_, err = file.WriteString(text.String())
	f.reach("written")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	f.reach("synced")
	return file.Name(), nil
}

// lines are a key as age-keygen writes it, with its public side.
func lines(key *age.X25519Identity) string {
	return "# public key: " + key.Recipient().String() + "\n" + key.String() + "\n"
}

// temporary begins the names of files that are not yet, or never came to be, the one.
func (f keyFile) temporary() string { return "." + filepath.Base(f.path) + "-" }

// sweep removes what was left by those who were killed: it may hold keys.
func (f keyFile) sweep() error {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), f.temporary()) {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(f.path), e.Name())))
		}
	}
	return err
}

// syncDir makes the names in the directory last.
func (f keyFile) syncDir() error {
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (f keyFile) reach(step string) {
	if f.reached != nil {
		f.reached(step)
	}
}
