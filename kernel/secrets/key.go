package secrets

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

const keySize = 32

// Ring is a keyring of the operating system.
type Ring interface {
	Get(service, user string) (string, error)
	Set(service, user, password string) error
}

// systemRing is the Keychain of macOS, or what answers as the Secret Service on Linux.
type systemRing struct{}

func (systemRing) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (systemRing) Set(service, user, password string) error {
	return keyring.Set(service, user, password)
}

// service names our items in a keyring.
const service = "astrid"

// cipher returns the cipher of this home. With create, a home without a key gets one.
func (s *Store) cipher(create bool) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, nil
	}
	key, err := s.readKey()
	if errors.Is(err, fs.ErrNotExist) && create {
		key, err = s.makeKey()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing; the secrets must be set again", ErrKey, s.home.SecretsKey())
	}
	if err != nil {
		return nil, err
	}
	s.aead, err = newAEAD(key)
	return s.aead, err
}

// readKey reads keys/secrets.key: "file <hex of the key>" or "keyring <account>".
func (s *Store) readKey() ([]byte, error) {
	path := s.home.SecretsKey()
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s must be a regular file that only you can read: chmod 600 it, and change the secrets if others may have read it", ErrKey, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	kind, rest, _ := strings.Cut(strings.TrimSpace(string(raw)), " ")
	text := rest
	switch kind {
	case File:
	case Keyring:
		if text, err = s.ask(func() (string, error) { return s.o.Ring.Get(service, rest) }); err != nil {
			return nil, fmt.Errorf("%w: the system's keyring does not give it (account %s): %w; unlock the keyring, or start the daemon where it is", ErrKey, rest, err)
		}
	default:
		return nil, fmt.Errorf("%w: %s is not what astrid wrote", ErrKey, path)
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%w: what %s leads to is no key", ErrKey, path)
	}
	return key, nil
}

// makeKey makes a key and decides where it is kept. Of several processes that do, one wins.
func (s *Store) makeKey() ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key)
	line := File + " " + hex.EncodeToString(key)
	if s.o.Store != File {
		id := make([]byte, 8)
		rand.Read(id)
		account := hex.EncodeToString(id)
		// What a keyring took it must also give back: some accept and forget.
		got, err := s.ask(func() (string, error) {
			if err := s.o.Ring.Set(service, account, hex.EncodeToString(key)); err != nil {
				return "", err
			}
			return s.o.Ring.Get(service, account)
		})
		switch {
		case err == nil && got == hex.EncodeToString(key):
			line = Keyring + " " + account
		case s.o.Store == Keyring:
			return nil, fmt.Errorf("%w: the system has no keyring that answers (secrets.store = \"keyring\"): %w", ErrKey, err)
		}
	}
	path := s.home.SecretsKey()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	tmp := fmt.Sprintf("%s.%s.tmp", path, rand.Text())
	defer os.Remove(tmp)
	if err := home.WriteFileAtomic(tmp, []byte(line+"\n"), 0o600); err != nil {
		return nil, err
	}
	// Link, unlike rename, never replaces the key of somebody who was quicker.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return s.readKey()
}

// ask puts a question to the keyring, which may wait for the user or for a bus that hangs.
func (s *Store) ask(question func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	ch := make(chan answer, 1)
	go func() {
		text, err := question()
		ch <- answer{text, err}
	}()
	select {
	case a := <-ch:
		return a.text, a.err
	case <-time.After(s.o.RingTimeout):
		return "", fmt.Errorf("no answer within %s", s.o.RingTimeout)
	}
}
