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

// answer is the union of what the five functions answer. Refusals arrive as text.
type answer struct {
	OK          bool                     `json:"ok"`
	Found       bool                     `json:"found"`
	Removed     bool                     `json:"removed"`
	UserID      string                   `json:"user_id"`
	DisplayName string                   `json:"display_name"`
	Link        abi.IdentityLinkRecord   `json:"link"`
	Links       []abi.IdentityLinkRecord `json:"links"`
	Error       string                   `json:"error"`
}

func ask(fn abi.Function, req abi.IdentityRequest) (answer, error) {
	var a answer
	if err := wire.Ask(fn, req, &a); err != nil {
		return a, err
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	if !a.OK && fn != abi.IdentityResolve {
		return a, errors.New(fn.String() + ": the host refused without a reason")
	}
	return a, nil
}

// Resolve finds the user of a platform account; ok is false when it is not linked.
func Resolve(platform, platformUserID string) (u User, ok bool, err error) {
	a, err := ask(abi.IdentityResolve, abi.IdentityRequest{Platform: platform, PlatformUserID: platformUserID})
	return User{ID: a.UserID, DisplayName: a.DisplayName}, a.Found && err == nil, err
}

// Link ties a platform account to a user, replacing an earlier tie. Method says how the
// person proved that the account is theirs.
func Link(platform, platformUserID, userID, method string) (abi.IdentityLinkRecord, error) {
	a, err := ask(abi.IdentityLink, abi.IdentityRequest{
		Platform: platform, PlatformUserID: platformUserID, AstridUserID: userID, Method: method,
	})
	return a.Link, err
}

// Unlink removes a tie and tells whether there was one.
func Unlink(platform, platformUserID string) (removed bool, err error) {
	a, err := ask(abi.IdentityUnlink, abi.IdentityRequest{Platform: platform, PlatformUserID: platformUserID})
	return a.Removed, err
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
	return a.Links, err
}
