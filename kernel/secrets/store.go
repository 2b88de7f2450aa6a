package secrets

import (
	"crypto/cipher"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// Limits of a name and a value, in bytes.
const (
	MaxName  = 128
	MaxValue = 64 << 10
)

var (
	// ErrNotFound says that there is no such secret. It is an fs.ErrNotExist.
	ErrNotFound = fmt.Errorf("no such secret: %w", fs.ErrNotExist)
	// ErrInvalid says that a name or value cannot be one.
	ErrInvalid = errors.New("invalid secret")
	// ErrKey says that the key of this home cannot be had: a keyring that is locked, a key file that is gone.
	ErrKey = errors.New("the key to the secrets is not available")
	// ErrBroken says that a file is not what was written for this secret.
	ErrBroken = errors.New("the secret cannot be read: its file was changed, or belongs to another key")
)

// Where a new home's key is kept.
const (
	Auto    = "auto"    // in the system's keyring if one answers, else in a file
	File    = "file"    // in a file
	Keyring = "keyring" // in the system's keyring, or not at all
)

// Options changes what Open uses. The zero value works.
type Options struct {
	Store string // Auto (also ""), File or Keyring
	// Ring is the system's keyring; nil is the real one.
	Ring Ring
	// RingTimeout bounds one question to the keyring, which may ask the user for a password; default 10 s.
	RingTimeout time.Duration
}

// Store keeps secrets. Its methods may be called from many goroutines and processes.
type Store struct {
	home home.Home
	o    Options

	mu   sync.Mutex
	aead cipher.AEAD // nil until it is needed
}

// Open returns the store of a home. Nothing is read or made before it is needed.
func Open(h home.Home, o Options) *Store {
	if o.Ring == nil {
		o.Ring = systemRing{}
	}
	if o.RingTimeout <= 0 {
		o.RingTimeout = 10 * time.Second
	}
	return &Store{home: h, o: o}
}

// Entry describes a secret without its value.
type Entry struct {
	Principal string    `json:"principal"`
	Capsule   string    `json:"capsule"`
	Name      string    `json:"name"`
	SetAt     time.Time `json:"set_at"`
}

// CheckName reports a name that no secret can have.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: the name must not be empty", ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("%w: the name has %d bytes, at most %d are possible", ErrInvalid, len(name), MaxName)
	case strings.Contains(name, ":"):
		return fmt.Errorf("%w: the name must not contain ':'", ErrInvalid)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: the name must be text without control characters", ErrInvalid)
	}
	return nil
}

// CheckName is the function of that name, for those who know only the store.
func (s *Store) CheckName(name string) error { return CheckName(name) }

// checkValue never repeats the value.
func checkValue(value string) error {
	switch {
	case value == "":
		return fmt.Errorf("%w: the value must not be empty", ErrInvalid)
	case len(value) > MaxValue:
		return fmt.Errorf("%w: the value has %d bytes, at most %d are possible", ErrInvalid, len(value), MaxValue)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fmt.Errorf("%w: the value must be text without NUL", ErrInvalid)
	}
	return nil
}

// fileNames makes names of files that no file system folds into one.
var fileNames = base32.StdEncoding.WithPadding(base32.NoPadding)

// dir is where the secrets of a capsule are; both names are checked by package home.
func (s *Store) dir(principal, capsule string) (string, error) {
	p, err := s.home.Principal(principal)
	if err != nil {
		return "", err
	}
	if _, err := p.Capsule(capsule); err != nil {
		return "", err
	}
	return filepath.Join(s.home.SecretsDir(), principal, capsule), nil
}

func (s *Store) path(principal, capsule, name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	dir, err := s.dir(principal, capsule)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, fileNames.EncodeToString([]byte(name))), nil
}

// Set stores a secret in place of the one that may be there.
func (s *Store) Set(principal, capsule, name, value string) error {
	path, err := s.path(principal, capsule, name)
	if err != nil {
		return err
	}
	if err := checkValue(value); err != nil {
		return err
	}
	aead, err := s.cipher(true)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return home.WriteFileAtomic(path, seal(aead, principal, capsule, name, value), 0o600)
}

// Get returns a secret, or ErrNotFound.
func (s *Store) Get(principal, capsule, name string) (string, error) {
	path, err := s.path(principal, capsule, name)
	if err != nil {
		return "", err
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s of %s: %w", name, capsule, ErrNotFound)
	}
	if err != nil {
		return "", err
	}
	aead, err := s.cipher(false)
	if err != nil {
		return "", err
	}
	value, err := unseal(aead, principal, capsule, name, raw)
	if err != nil {
		return "", fmt.Errorf("%s of %s (%s): %w; set it again with `astrid secret set`", name, capsule, path, err)
	}
	return value, nil
}

// Has tells whether there is such a secret. It needs no key.
func (s *Store) Has(principal, capsule, name string) (bool, error) {
	path, err := s.path(principal, capsule, name)
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes a secret, or returns ErrNotFound.
func (s *Store) Delete(principal, capsule, name string) error {
	path, err := s.path(principal, capsule, name)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s of %s: %w", name, capsule, ErrNotFound)
	}
	return err
}

// DeleteAll removes all secrets of a capsule.
func (s *Store) DeleteAll(principal, capsule string) error {
	dir, err := s.dir(principal, capsule)
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// Stamp changes whenever a secret of the capsule is set or deleted. It reveals nothing and needs no key.
func (s *Store) Stamp(principal, capsule string) ([]byte, error) {
	list, err := s.List(principal, capsule)
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, e := range list {
		path, err := s.path(principal, capsule, e.Name)
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = fmt.Appendf(all, "%s %d\n", filepath.Base(path), len(raw))
		all = append(all, raw...)
	}
	return all, nil
}

// List describes the secrets of a principal, by capsule and name. With a capsule, only its own.
func (s *Store) List(principal, capsule string) ([]Entry, error) {
	if _, err := s.home.Principal(principal); err != nil {
		return nil, err
	}
	root := filepath.Join(s.home.SecretsDir(), principal)
	capsules := []string{capsule}
	if capsule == "" {
		dirs, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		capsules = nil
		for _, d := range dirs {
			capsules = append(capsules, d.Name())
		}
	} else if _, err := s.dir(principal, capsule); err != nil {
		return nil, err
	}
	out := []Entry{}
	for _, c := range capsules {
		files, err := os.ReadDir(filepath.Join(root, c))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			name, err := fileNames.DecodeString(f.Name())
			if err != nil || CheckName(string(name)) != nil {
				continue // what a write that was killed has left
			}
			fi, err := f.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, Entry{Principal: principal, Capsule: c, Name: string(name), SetAt: fi.ModTime().UTC()})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Capsule != out[j].Capsule {
			return out[i].Capsule < out[j].Capsule
		}
		return out[i].Name < out[j].Name
	})
	return out, nil
}
