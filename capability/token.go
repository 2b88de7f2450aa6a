package capability

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"
)

// Permission is what a token permits on the resources it matches.
type Permission string

// Permissions.
const (
	Read    Permission = "read"
	Write   Permission = "write"
	Execute Permission = "execute"
	Delete  Permission = "delete"
	Invoke  Permission = "invoke"
	List    Permission = "list"
	Create  Permission = "create"
)

// permissionOf returns the permission that an action on a scheme needs.
func permissionOf(scheme string) Permission {
	switch scheme {
	case "fs:read":
		return Read
	case "fs:write":
		return Write
	case "fs:delete":
		return Delete
	case "exec":
		return Execute
	}
	return Invoke
}

// Scope says how long a token lives, its expiry aside.
type Scope string

// Scopes.
const (
	Session    Scope = "session"    // in memory, until the daemon ends or [Tokens.ClearSession]
	Persistent Scope = "persistent" // in the store
)

// Limits of a token.
const (
	maxPermissions = 16
	maxCapsule     = 128
	maxTokenJSON   = 64 << 10
)

// Token says that a principal's capsule may act on matching resources without being
// asked about it. It is a value: changing one makes its signature wrong.
type Token struct {
	ID          uuid.UUID
	Resource    string // pattern
	Permissions []Permission
	IssuedAt    time.Time // whole seconds, UTC
	ExpiresAt   time.Time // whole seconds, UTC; zero: never
	Scope       Scope
	Issuer      [ed25519.PublicKeySize]byte
	UserID      [8]byte   // who agreed: first bytes of their key, or of the runtime key
	AuditID     uuid.UUID // the audit entry of the approval that made it
	SingleUse   bool
	Principal   string
	Capsule     string // "" means any capsule of the principal
	Signature   [ed25519.SignatureSize]byte
}

// check holds for every token, minted or read.
func (t *Token) check() error {
	switch {
	case t.ID == uuid.Nil || t.AuditID == uuid.Nil:
		return fmt.Errorf("%w: without id or audit entry", ErrToken)
	case !validPrincipal(t.Principal):
		return fmt.Errorf("%w: principal %q", ErrToken, t.Principal)
	case !validCapsule(t.Capsule):
		return fmt.Errorf("%w: capsule %q", ErrToken, t.Capsule)
	case t.Scope != Session && t.Scope != Persistent:
		return fmt.Errorf("%w: scope %q", ErrToken, t.Scope)
	case len(t.Permissions) == 0 || len(t.Permissions) > maxPermissions:
		return fmt.Errorf("%w: %d permissions, want 1 to %d", ErrToken, len(t.Permissions), maxPermissions)
	case t.IssuedAt.Nanosecond() != 0 || t.ExpiresAt.Nanosecond() != 0:
		return fmt.Errorf("%w: times are whole seconds", ErrToken)
	case !validTime(t.IssuedAt) || !t.ExpiresAt.IsZero() && !validTime(t.ExpiresAt):
		return fmt.Errorf("%w: time outside of 1970 to 9999", ErrToken)
	}
	for _, p := range t.Permissions {
		switch p {
		case Read, Write, Execute, Delete, Invoke, List, Create:
		default:
			return fmt.Errorf("%w: permission %q", ErrToken, p)
		}
	}
	return nil
}

// Expired reports whether the token is past its end, or not yet begun, at a time; clocks
// may differ by skew.
func (t *Token) Expired(now time.Time, skew time.Duration) bool {
	return !t.ExpiresAt.IsZero() && now.After(t.ExpiresAt.Add(skew)) || now.Add(skew).Before(t.IssuedAt)
}

// Grants reports whether pattern and permissions cover a resource. It looks at nothing else.
func (t *Token) Grants(r Resource) bool {
	p, err := ParsePattern(t.Resource)
	return err == nil && slices.Contains(t.Permissions, r.Permission()) && p.Matches(r)
}

// Hash returns the BLAKE3-256 of the payload.
func (t *Token) Hash() [32]byte { return blake3.Sum256(t.Payload()) }

// HashText returns Hash as 64 hex digits, as audit entries name a token's content.
func (t *Token) HashText() string {
	h := t.Hash()
	return hex.EncodeToString(h[:])
}

// Verify checks form, issuer, signature and pattern. trusted are the issuers to accept.
func (t *Token) Verify(trusted ...ed25519.PublicKey) error {
	if err := t.check(); err != nil {
		return err
	}
	if !slices.ContainsFunc(trusted, func(k ed25519.PublicKey) bool { return bytes.Equal(k, t.Issuer[:]) }) {
		return fmt.Errorf("%w: %s issued by %x", ErrSignature, t.ID, t.Issuer[:8])
	}
	if !ed25519.Verify(t.Issuer[:], t.Payload(), t.Signature[:]) {
		return fmt.Errorf("%w: %s", ErrSignature, t.ID)
	}
	_, err := ParsePattern(t.Resource)
	return err
}

// record is the JSON form, in the order of the signed fields.
type record struct {
	Version     int          `json:"v"`
	ID          uuid.UUID    `json:"id"`
	Resource    string       `json:"resource"`
	Permissions []Permission `json:"permissions"`
	IssuedAt    time.Time    `json:"issued_at"`
	ExpiresAt   *time.Time   `json:"expires_at"`
	Scope       Scope        `json:"scope"`
	Issuer      string       `json:"issuer"`
	UserID      [8]uint8     `json:"user_id"`
	AuditID     uuid.UUID    `json:"approval_audit_id"`
	SingleUse   bool         `json:"single_use"`
	Principal   string       `json:"principal"`
	Capsule     string       `json:"capsule"`
	Signature   string       `json:"signature"`
}

// MarshalJSON writes the form the store keeps.
func (t Token) MarshalJSON() ([]byte, error) {
	r := record{
		Version: 2, ID: t.ID, Resource: t.Resource, Permissions: t.Permissions, IssuedAt: t.IssuedAt, Scope: t.Scope,
		Issuer: base64.StdEncoding.EncodeToString(t.Issuer[:]), UserID: t.UserID, AuditID: t.AuditID, SingleUse: t.SingleUse,
		Principal: t.Principal, Capsule: t.Capsule, Signature: base64.StdEncoding.EncodeToString(t.Signature[:]),
	}
	if !t.ExpiresAt.IsZero() {
		r.ExpiresAt = &t.ExpiresAt
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads that form. It refuses unknown fields, version 1 (whose tokens name
// no principal) and whatever a token must not be; it does not verify the signature.
func (t *Token) UnmarshalJSON(b []byte) error {
	if len(b) > maxTokenJSON {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrToken, len(b), maxTokenJSON)
	}
	var r record
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	if r.Version != 2 {
		return fmt.Errorf("%w: version %d, want 2", ErrToken, r.Version)
	}
	v := Token{
		ID: r.ID, Resource: r.Resource, Permissions: r.Permissions, IssuedAt: r.IssuedAt.UTC(), Scope: r.Scope,
		UserID: r.UserID, AuditID: r.AuditID, SingleUse: r.SingleUse, Principal: r.Principal, Capsule: r.Capsule,
	}
	if r.ExpiresAt != nil {
		v.ExpiresAt = r.ExpiresAt.UTC()
	}
	if err := decode64(v.Issuer[:], r.Issuer); err != nil {
		return fmt.Errorf("%w: issuer: %w", ErrToken, err)
	}
	if err := decode64(v.Signature[:], r.Signature); err != nil {
		return fmt.Errorf("%w: signature: %w", ErrToken, err)
	}
	if err := v.check(); err != nil {
		return err
	}
	*t = v
	return nil
}

func validTime(t time.Time) bool { return t.Unix() > 0 && t.Unix() <= maxUnix }

func decode64(dst []byte, s string) error {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && len(b) != len(dst) {
		err = fmt.Errorf("%d bytes, want %d", len(b), len(dst))
	}
	copy(dst, b)
	return err
}

func validPrincipal(p string) bool {
	for _, c := range []byte(p) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(p) > 0 && len(p) <= 64
}

// validCapsule accepts the ids of capsules, and the empty one for all of them.
func validCapsule(c string) bool {
	for _, b := range []byte(c) {
		if !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-') {
			return false
		}
	}
	return len(c) <= maxCapsule
}
