package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
)

func linkKey(platform, platformUserID string) (string, error) {
	platform = NormalizePlatform(platform)
	if err := checkKeyPart("platform", platform); err != nil {
		return "", err
	}
	if err := checkKeyPart("platform_user_id", platformUserID); err != nil {
		return "", err
	}
	return "link/" + platform + "/" + platformUserID, nil
}

// Resolve returns the user that an account belongs to, or ErrNotLinked; also where the link's user is gone.
func (s *Store) Resolve(ctx context.Context, platform, platformUserID string) (User, error) {
	key, err := linkKey(platform, platformUserID)
	if err != nil {
		return User{}, err
	}
	l, err := s.link(ctx, key)
	if err != nil {
		return User{}, err
	}
	u, err := s.User(ctx, l.AstridUserID)
	if errors.Is(err, ErrUserNotFound) {
		return User{}, fmt.Errorf("%w: its user %v is gone", ErrNotLinked, l.AstridUserID)
	}
	return u, err
}

func (s *Store) link(ctx context.Context, key string) (l Link, err error) {
	raw, err := s.kv.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Link{}, ErrNotLinked
	}
	if err != nil {
		return Link{}, err
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return Link{}, fmt.Errorf("read %s: %w", key, err)
	}
	return l, nil
}

// Link ties an account to a user, who must exist; it replaces a link that the account has. method says how that came to be.
func (s *Store) Link(ctx context.Context, platform, platformUserID string, user uuid.UUID, method string) (Link, error) {
	key, err := linkKey(platform, platformUserID)
	if err != nil {
		return Link{}, err
	}
	if err := checkMethod(method); err != nil {
		return Link{}, err
	}
	if _, err := s.User(ctx, user); err != nil {
		return Link{}, err
	}
	l := Link{Platform: NormalizePlatform(platform), PlatformUserID: platformUserID, AstridUserID: user, LinkedAt: s.o.Now().UTC(), Method: method}
	if err := s.putJSON(ctx, key, l); err != nil {
		return Link{}, err
	}
	return l, nil
}

// Unlink removes an account's link and tells whether there was one.
func (s *Store) Unlink(ctx context.Context, platform, platformUserID string) (bool, error) {
	key, err := linkKey(platform, platformUserID)
	if err != nil {
		return false, err
	}
	for {
		raw, err := s.kv.Get(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		// Against a second Unlink: only one of them removed it.
		if err = s.kv.CompareAndSwap(ctx, key, raw, nil); err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return false, err
		}
	}
}

// Links returns the links of a user, by platform and account. There is no index beside the links that could disagree with
// them; they are few.
func (s *Store) Links(ctx context.Context, user uuid.UUID) ([]Link, error) {
	out := []Link{}
	err := s.kv.Scan(ctx, "link/", func(key string, raw []byte) error {
		var l Link
		if err := json.Unmarshal(raw, &l); err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if l.AstridUserID == user {
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
