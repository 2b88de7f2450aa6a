package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

var (
	// ErrUserNotFound says that there is no such user.
	ErrUserNotFound = errors.New("user not found")
	// ErrNotLinked says that an account belongs to nobody.
	ErrNotLinked = errors.New("account is not linked to a user")
	// ErrInvalid says that a field breaks a rule.
	ErrInvalid = errors.New("invalid input")
)

// maxField bounds names and account ids, in bytes.
const maxField = 256

// User is one person, or whatever acts like one.
type User struct {
	ID          uuid.UUID `json:"id"`
	Principal   string    `json:"principal"`
	PublicKey   []byte    `json:"public_key"`   // 32 bytes, or null
	DisplayName *string   `json:"display_name"` // null if it has none
	CreatedAt   time.Time `json:"created_at"`
}

// String is "name(1a2b3c4d)" or "user:1a2b3c4d".
func (u User) String() string {
	short := u.ID.String()[:8]
	if u.DisplayName == nil {
		return "user:" + short
	}
	return *u.DisplayName + "(" + short + ")"
}

func decodeUser(raw []byte) (User, error) {
	u := User{Principal: defaultPrincipal} // what records without one mean
	if err := json.Unmarshal(raw, &u); err != nil {
		return User{}, fmt.Errorf("read a user's record: %w", err)
	}
	if n := len(u.PublicKey); n != 0 && n != 32 {
		return User{}, fmt.Errorf("read a user's record: public key must be 32 bytes, it has %d", n)
	}
	return u, nil
}

// Link ties an account to a user.
type Link struct {
	Platform       string    `json:"platform"` // trimmed, lower case
	PlatformUserID string    `json:"platform_user_id"`
	AstridUserID   uuid.UUID `json:"astrid_user_id"`
	LinkedAt       time.Time `json:"linked_at"`
	Method         string    `json:"method"` // how the link came to be: "system", "admin", what a capsule says
}

// LinkedAtText is the time as the host ABI has it: RFC 3339 with a numeric offset.
func (l Link) LinkedAtText() string {
	return l.LinkedAt.UTC().Format("2006-01-02T15:04:05.999999999-07:00")
}

// NormalizePlatform trims a platform's name and lowers its ASCII letters.
func NormalizePlatform(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.TrimSpace(s))
}

// checkKeyPart refuses what cannot be part of a key: an empty field, and separators by which one field could pass for two.
func checkKeyPart(field, s string) error {
	if strings.TrimSpace(s) == "" {
		return fmt.Errorf("%w: %s must not be empty", ErrInvalid, field)
	}
	return checkText(field, s)
}

// checkMethod is for a text that is no part of a key.
func checkMethod(s string) error {
	if strings.TrimSpace(s) == "" {
		return fmt.Errorf("%w: method must not be empty", ErrInvalid)
	}
	return checkPlain("method", s)
}

func checkText(field, s string) error {
	if strings.ContainsAny(s, "/\x00") {
		return fmt.Errorf("%w: %s must not contain '/' or null bytes", ErrInvalid, field)
	}
	return checkPlain(field, s)
}

func checkPlain(field, s string) error {
	switch {
	case len(s) > maxField:
		return fmt.Errorf("%w: %s exceeds %d bytes", ErrInvalid, field, maxField)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("%w: %s must not contain control characters", ErrInvalid, field)
	}
	return nil
}

// defaultPrincipal is who acts when nobody is named.
const defaultPrincipal = "default"

// derivePrincipal makes a principal of a display name: lower case, everything but a-z 0-9 - _ becomes -, runs of - become one,
// none at the ends, at most limit bytes. It is empty if nothing is left.
func derivePrincipal(name string, limit int) string {
	var b strings.Builder
	dash := false
	for _, r := range NormalizePlatform(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		} else {
			dash = true
		}
	}
	s := b.String()
	return strings.TrimRight(s[:min(len(s), limit)], "-")
}
