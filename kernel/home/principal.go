package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// DefaultPrincipal is who acts when nobody is named.
const DefaultPrincipal = "default"

// ErrBadName says that a principal, capsule id or session cannot become part of a path.
var ErrBadName = errors.New("invalid name")

// Principal is the home of one principal, $P.
type Principal struct{ name, root string }

// Principal returns the home of a principal: 1 to 64 characters of A-Z a-z 0-9 - _.
func (h Home) Principal(name string) (Principal, error) {
	if err := checkPrincipal(name); err != nil {
		return Principal{}, err
	}
	return Principal{name: name, root: filepath.Join(h.PrincipalsDir(), name)}, nil
}

func checkPrincipal(name string) error {
	if name == "" {
		return fmt.Errorf("principal id must not be empty: %w", ErrBadName)
	}
	if len(name) > 64 {
		return fmt.Errorf("principal id exceeds 64 characters: %w", ErrBadName)
	}
	for _, c := range name {
		if !isAlnum(c) && c != '-' && c != '_' {
			return fmt.Errorf("principal id contains invalid character %q (allowed: a-z, A-Z, 0-9, -, _): %w", c, ErrBadName)
		}
	}
	return nil
}

func isAlnum(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func (p Principal) join(elem ...string) string {
	return filepath.Join(append([]string{p.root}, elem...)...)
}

// Name is the principal's id.
func (p Principal) Name() string { return p.name }

// Root is $P itself.
func (p Principal) Root() string { return p.root }

// CapsulesDir holds the installed capsules.
func (p Principal) CapsulesDir() string { return p.join(".local", "capsules") }

// LogDir holds the logs of capsules.
func (p Principal) LogDir() string { return p.join(".local", "log") }

// AuditDir holds what the audit log keeps outside the storage engine.
func (p Principal) AuditDir() string { return p.join(".local", "audit") }

// TmpDir is the guests' /tmp.
func (p Principal) TmpDir() string { return p.join(".local", "tmp") }

// OverlaysDir holds the upper layers of sessions.
func (p Principal) OverlaysDir() string { return p.join(".local", "overlay") }

// EnvDir holds the capsules' answers to their env questions.
func (p Principal) EnvDir() string { return p.join(".config", "env") }

// DistroLock pins the installed distribution.
func (p Principal) DistroLock() string { return p.join(".config", "distro.lock") }

// WitDir holds the standard interfaces under their plain names.
func (p Principal) WitDir() string { return p.join("wit") }

// Overlay is the directory of a session's overlay. A session id is free text of at most 128 bytes, so the name is made of
// what is harmless in it, to be recognised by people, and a hash, to be unique.
func (p Principal) Overlay(session string) (string, error) {
	if session == "" || len(session) > 128 {
		return "", fmt.Errorf("session id must have 1 to 128 bytes, it has %d: %w", len(session), ErrBadName)
	}
	var plain strings.Builder
	for _, c := range session {
		if plain.Len() == 40 {
			break
		}
		if isAlnum(c) || c == '-' || c == '_' {
			plain.WriteRune(c)
		}
	}
	sum := sha256.Sum256([]byte(session))
	return filepath.Join(p.OverlaysDir(), strings.TrimPrefix(plain.String()+"-"+hex.EncodeToString(sum[:8]), "-")), nil
}

// Capsule is where one installed capsule keeps its files.
type Capsule struct {
	id string
	p  Principal
}

// Capsule returns the places of a capsule: its id is made of a-z, 0-9 and -, and does not begin or end with -.
func (p Principal) Capsule(id string) (Capsule, error) {
	if id == "" || len(id) > 128 || id[0] == '-' || id[len(id)-1] == '-' {
		return Capsule{}, fmt.Errorf("capsule id %q: %w", id, ErrBadName)
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return Capsule{}, fmt.Errorf("capsule id %q contains invalid character %q (allowed: a-z, 0-9, -): %w", id, c, ErrBadName)
		}
	}
	return Capsule{id: id, p: p}, nil
}

// Dir holds Capsule.toml, meta.json and the capsule's other files.
func (c Capsule) Dir() string { return filepath.Join(c.p.CapsulesDir(), c.id) }

// Backup is where Dir stays while a new version is being installed.
func (c Capsule) Backup() string { return c.Dir() + ".bak" }

// LogDir holds YYYY-MM-DD.log.
func (c Capsule) LogDir() string { return filepath.Join(c.p.LogDir(), c.id) }

// EnvFile holds the env values, a JSON object of strings.
func (c Capsule) EnvFile() string { return filepath.Join(c.p.EnvDir(), c.id+".env.json") }

func (p Principal) dirs() []string {
	return []string{p.join(".local"), p.join(".config"), p.CapsulesDir(), p.LogDir(), p.AuditDir(), p.TmpDir(), p.OverlaysDir(), p.EnvDir(), p.WitDir()}
}
