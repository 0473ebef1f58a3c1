// Package secret keeps secrets at rest: passwords and tokens of other systems, which
// the console must be able to say, and so cannot keep as hashes.
//
// A keeper seals a secret to a text for a column of the database, and opens it again,
// with age (age-encryption.org/v1, X25519). Its keys stand in a file of the data
// directory, never in the database: whoever has a dump, a replica or a stolen copy of
// the database has no secrets. Consoles that share a database are given the same keys
// by their configuration instead.
//
// The first key seals, all of them open. Each sealed text begins with the id of its
// key, so it is known which are of an old one. To change keys: Rotate, then open and
// seal anew each secret that is Stale, then Forget. Whatever stops on the way, all
// secrets can be opened, and the same steps finish it.
//
// It does not protect from who can read the key file or the console's memory, so not
// from root there. Nor from who can write to the database: a sealed text does not say
// what it is for, and opens in another row as well. A backup of the key that is kept
// with one of the database undoes it all, and a lost key is a lost secret.
package secret

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
)

var (
	// ErrKey is returned where no key of the console opens a secret: the key file was
	// lost, or another console sealed it with keys of its own.
	ErrKey = errors.New("no key of this console opens the secret: put back the key that sealed it, which was lost or is another console's, or set the secret anew")
	// ErrDamaged is returned for a text that is no sealed secret, or was changed since
	// it was sealed.
	ErrDamaged = errors.New("the sealed secret is damaged: set it anew")
	// ErrGiven is returned where keys that the configuration gives would have to change.
	ErrGiven = errors.New("the keys are given by the configuration: put a new one first there and leave the others until no secret is of theirs")
)

// Keeper seals and opens secrets. It may be used by several at once.
type Keeper struct {
	file keyFile // its path is "" if the keys were given

	mu   sync.RWMutex
	keys []*age.X25519Identity // the first seals, all open
}

// Open returns the keeper of a key file, which is made if it is not there. If given
// holds keys (AGE-SECRET-KEY-1…, separated by commas or lines, as in a key file), they
// are used and there need be no file.
func Open(path, given string) (*Keeper, error) { return open(keyFile{path: path}, given) }

func open(file keyFile, given string) (*Keeper, error) {
	if strings.TrimSpace(given) != "" {
		keys, err := parse(given)
		if err != nil {
			return nil, fmt.Errorf("the keys that the configuration gives for secrets: %w", err)
		}
		return &Keeper{keys: keys}, nil
	}
	keys, err := file.load()
	if errors.Is(err, fs.ErrNotExist) {
		if err = file.create(); err == nil {
			keys, err = file.load()
		}
	}
	if err == nil {
		err = file.syncDir() // who wrote it may have been killed before
	}
	if err != nil {
		return nil, fmt.Errorf("open the key of secrets: %w", err)
	}
	return &Keeper{file: file, keys: keys}, nil
}

// Read is Open for who only reveals: a file that is not there is not made, and the
// keeper has no key. It must not seal.
func Read(path, given string) (*Keeper, error) {
	if strings.TrimSpace(given) != "" {
		return Open(path, given)
	}
	file := keyFile{path: path}
	keys, err := file.load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the key of secrets: %w", err)
	}
	return &Keeper{file: file, keys: keys}, nil
}

// NewKey returns a new key as a file or the configuration may hold it: two lines, of
// which the first is a comment with its public side.
func NewKey() (string, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return lines(key), nil
}

// present returns the key that seals.
func (k *Keeper) present() *age.X25519Identity {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[0]
}

// Public returns the public side of the key that seals now (age1…), which tells
// consoles with different keys apart.
func (k *Keeper) Public() string { return k.present().Recipient().String() }

// id is the beginning of a public key, which is enough to tell keys apart: after
// "age1" 60 of its bits.
func id(key *age.X25519Identity) string { return key.Recipient().String()[4:16] }

// Seal encrypts a secret to a text: the id of the key, a colon, and an age file in
// base64. It is different each time.
func (k *Keeper) Seal(plain []byte) (string, error) {
	key := k.present()
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, key.Recipient())
	if err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("seal a secret: %w", err)
	}
	return id(key) + ":" + base64.RawStdEncoding.EncodeToString(sealed.Bytes()), nil
}

// Reveal decrypts what Seal returned. The error is ErrKey or ErrDamaged.
func (k *Keeper) Reveal(sealed string) ([]byte, error) {
	name, text, ok := strings.Cut(sealed, ":")
	file, err := base64.RawStdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, fmt.Errorf("it is no text that was sealed: %w", ErrDamaged)
	}
	k.mu.RLock()
	keys := k.keys // replaced as a whole, never changed
	k.mu.RUnlock()
	at := slices.IndexFunc(keys, func(key *age.X25519Identity) bool { return id(key) == name })
	if at < 0 {
		return nil, fmt.Errorf("it was sealed by the key %q, and %s: %w", name, k.has(keys), ErrKey)
	}
	r, err := age.Decrypt(bytes.NewReader(file), keys[at])
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrDamaged, err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrDamaged, err)
	}
	return plain, nil
}

// has says which keys there are, by their ids.
func (k *Keeper) has(keys []*age.X25519Identity) string {
	where := k.file.path
	if where == "" {
		where = "the configuration"
	}
	if len(keys) == 0 {
		return "there is no " + where
	}
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = id(key)
	}
	return where + " has " + strings.Join(ids, ", ")
}

// Stale tells whether a secret was sealed by another key than the present one.
func (k *Keeper) Stale(sealed string) bool { return !strings.HasPrefix(sealed, id(k.present())+":") }

// Rotate puts a new key before those of the file, so that it seals from now on. It is
// on disk when Rotate returns; after an error the old one goes on. If the keys were
// given, the error is ErrGiven.
func (k *Keeper) Rotate() error {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	return k.replace(func(there []*age.X25519Identity) []*age.X25519Identity {
		if !slices.ContainsFunc(there, k.isPresent) {
			return nil
		}
		return append([]*age.X25519Identity{key}, there...)
	})
}

// Forget drops all keys but the present one: what only they open is lost. So it comes
// after each stale secret was sealed anew, also those that were sealed before Rotate
// returned and stored after. If the keys were given, the error is ErrGiven.
func (k *Keeper) Forget() error {
	return k.replace(func(there []*age.X25519Identity) []*age.X25519Identity {
		if !k.isPresent(there[0]) {
			return nil
		}
		return there[:1]
	})
}

// isPresent tells whether a key is the one that seals, under the lock.
func (k *Keeper) isPresent(key *age.X25519Identity) bool { return id(key) == id(k.keys[0]) }

// replace changes the keys, on disk first. What changes those of the file returns
// none if they are not those that it knows.
func (k *Keeper) replace(change func(there []*age.X25519Identity) []*age.X25519Identity) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file.path == "" {
		return ErrGiven
	}
	there, err := k.file.load()
	if err != nil {
		return fmt.Errorf("change the key of secrets: %w", err)
	}
	keys := change(there)
	if keys == nil {
		return fmt.Errorf("%s was changed since the console read it: restart the console, then change keys", k.file.path)
	}
	if err := k.file.replace(keys); err != nil {
		return fmt.Errorf("change the key of secrets: %w", err)
	}
	k.keys = keys
	return nil
}
