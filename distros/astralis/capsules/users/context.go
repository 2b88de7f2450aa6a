package main

import (
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

// membership says that a person takes part in a conversation of a platform.
type membership struct {
	UserID         string `json:"user-id"`
	Platform       string `json:"platform"`
	Instance       string `json:"instance,omitempty"`
	ContextID      string `json:"context-id"`
	PlatformUserID string `json:"platform-user-id"`
	Since          string `json:"since"`
}

func contextKey(r *request) string {
	return key("context", r.Platform, r.Instance, r.ContextID, r.PlatformUserID)
}

func contextFields(r *request) error {
	return need("platform", r.Platform, "context-id", r.ContextID, "platform-user-id", r.PlatformUserID)
}

func contextSet(r *request) (response, error) {
	if err := contextFields(r); err != nil {
		return nil, err
	}
	if _, err := findUser(r.UserID); err != nil {
		return nil, err
	}
	m := membership{r.UserID, r.Platform, r.Instance, r.ContextID, r.PlatformUserID, now()}
	return response{"context": m}, kv.SetJSON(contextKey(r), m)
}

func contextGet(r *request) (response, error) {
	if err := contextFields(r); err != nil {
		return nil, err
	}
	m, ok, err := kv.GetJSON[membership](contextKey(r))
	if err == nil && !ok {
		err = errNoMember
	}
	return response{"context": m}, err
}

func contextClear(r *request) (response, error) {
	if _, err := contextGet(r); err != nil {
		return nil, err
	}
	return response{"removed": true}, kv.Delete(contextKey(r))
}

func contextsOfUser(r *request) (response, error) {
	if _, err := findUser(r.UserID); err != nil {
		return nil, err
	}
	return page(r, "context/", "contexts", func(m membership) bool { return m.UserID == r.UserID })
}

func usersInContext(r *request) (response, error) {
	if err := need("platform", r.Platform, "context-id", r.ContextID); err != nil {
		return nil, err
	}
	return page(r, key("context", r.Platform, r.Instance, r.ContextID)+"/", "contexts", func(membership) bool { return true })
}
