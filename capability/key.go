package capability

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// SeedSize is the length of a key file: the raw ed25519 seed (RFC 8032), in bytes.
const SeedSize = ed25519.SeedSize

// Key is an ed25519 signing key. It is safe for concurrent use, and prints as its id.
type Key struct {
	public ed25519.PublicKey

	mu      sync.RWMutex
	private ed25519.PrivateKey // nil after Close
}

// NewKey makes a key from a seed of SeedSize bytes, which it copies.
func NewKey(seed []byte) (*Key, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("%w: seed of %d bytes, want %d", ErrKeyFile, len(seed), SeedSize)
	}
	k := &Key{private: ed25519.NewKeyFromSeed(seed)}
	k.public = append(ed25519.PublicKey(nil), k.private[SeedSize:]...)
	return k, nil
}

// OpenKey loads the key at path, and makes one if there is none. The directory must
// exist. Of several processes that start at once, one makes the key and all load it.
func OpenKey(path string) (*Key, error) {
	k, err := LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make key %s: %w", path, err)
	}
	return LoadKey(path)
}

// LoadKey reads the key at path. It refuses with ErrKeyFile anything but a regular file of
// SeedSize bytes that belongs to this user and that nobody else can read, in a directory
// nobody else can write.
func LoadKey(path string) (*Key, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	defer f.Close()
	// All checks are of what was opened, not of a name that may mean something else by now.
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("load key: %w", err)
	}
	switch {
	case !fi.Mode().IsRegular():
		err = fmt.Errorf("%w: %s is not a regular file", ErrKeyFile, path)
	case fi.Mode().Perm()&^0o600 != 0:
		err = fmt.Errorf("%w: %s has mode %04o, want 0600 (it may have been read by others: if so, replace it; else chmod 600 it)", ErrKeyFile, path, fi.Mode().Perm())
	case fi.Size() != SeedSize:
		err = fmt.Errorf("%w: %s has %d bytes, want %d (restore it from a backup; a new key invalidates all tokens)", ErrKeyFile, path, fi.Size(), SeedSize)
	default:
		err = checkOwner(fi, path)
	}
	if err == nil {
		err = checkKeyDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	var seed [SeedSize]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(f, seed[:]); err != nil {
		return nil, fmt.Errorf("load key %s: %w", path, err)
	}
	return NewKey(seed[:])
}

func checkKeyDir(dir string) error {
	fi, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("load key: %w", err)
	}
	if fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: others can write to its directory %s (mode %04o); chmod 700 it", ErrKeyFile, dir, fi.Mode().Perm())
	}
	return checkOwner(fi, dir)
}

// createKey writes a random seed under a name that does not exist yet, fs.ErrExist if it does.
func createKey(path string) error {
	var seed [SeedSize]byte
	defer clear(seed[:])
	rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	dir := filepath.Dir(path)
	// The seed is complete and on disk before it has its name, so that a crash leaves no
	// half key; a link, unlike a rename, never replaces a key that came first.
	tmp := filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	_, err = f.Write(seed[:])
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Public returns a copy of the public key.
func (k *Key) Public() ed25519.PublicKey { return append(ed25519.PublicKey(nil), k.public...) }

// ID returns the first eight bytes of the public key as 16 hex digits.
func (k *Key) ID() string { return hex.EncodeToString(k.public[:8]) }

// Sign returns the ed25519 signature of message; ErrKeyClosed after Close. The caller is
// responsible that messages of different kinds cannot be taken for each other.
func (k *Key) Sign(message []byte) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.private == nil {
		return nil, ErrKeyClosed
	}
	return ed25519.Sign(k.private, message), nil
}

// Close overwrites the private key. Copies the runtime made while it moved memory are out
// of reach.
func (k *Key) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.private)
	k.private = nil
	return nil
}

// String returns the key's id, never its secret.
func (k *Key) String() string { return "key " + k.ID() }

// GoString is String: %#v must not show the secret either.
func (k *Key) GoString() string { return k.String() }
