// Package identity ties accounts on outside platforms to Astrid users. The manifest must
// declare the level: resolve, link (implies resolve) or admin (implies both).
package identity

import (
	"errors"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// User is an Astrid user.
type User struct {
	ID          string // UUID
	DisplayName string
}

func ask(fn abi.Function, req abi.IdentityRequest) (abi.IdentityAnswer, error) {
	var a abi.IdentityAnswer
	if err := wire.Ask(fn, req, &a); err != nil {
		return a, err
	}
	if a.Error != "" { // as hosts say it that put errors into the answer
		return a, errors.New(a.Error)
	}
	return a, nil
}

func is(b *bool) bool { return b != nil && *b }

// Resolve finds the user of a platform account; ok is false when it is not linked.
func Resolve(platform, platformUserID string) (u User, ok bool, err error) {
	a, err := ask(abi.IdentityResolve, abi.IdentityRequest{Platform: platform, PlatformUserID: platformUserID})
	return User{ID: a.UserID, DisplayName: a.DisplayName}, is(a.Found) && err == nil, err
}

// Link ties a platform account to a user, replacing an earlier tie. Method says how the
// person proved that the account is theirs.
func Link(platform, platformUserID, userID, method string) (abi.IdentityLinkRecord, error) {
	a, err := ask(abi.IdentityLink, abi.IdentityRequest{
		Platform: platform, PlatformUserID: platformUserID, AstridUserID: userID, Method: method,
	})
	if a.Link == nil {
		return abi.IdentityLinkRecord{}, err
	}
	return *a.Link, err
}

// Unlink removes a tie and tells whether there was one.
func Unlink(platform, platformUserID string) (removed bool, err error) {
	a, err := ask(abi.IdentityUnlink, abi.IdentityRequest{Platform: platform, PlatformUserID: platformUserID})
	return is(a.Removed), err
}

// CreateUser makes a user and returns its id. The name may be empty.
func CreateUser(displayName string) (id string, err error) {
	var req abi.IdentityRequest
	if displayName != "" {
		req.DisplayName = &displayName
	}
	a, err := ask(abi.IdentityCreateUser, req)
	return a.UserID, err
}

// Links returns the platform accounts of a user.
func Links(userID string) ([]abi.IdentityLinkRecord, error) {
	a, err := ask(abi.IdentityListLinks, abi.IdentityRequest{AstridUserID: userID})
	if a.Links == nil {
		return nil, err
	}
	return *a.Links, err
}
