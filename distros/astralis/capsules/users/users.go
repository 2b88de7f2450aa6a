package main

import (
	"crypto/rand"
	"fmt"
	"strings"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

// Keys, each part escaped:
//
//	user/<uuid>                                        user
//	link/<platform>/<instance or _>/<platform user>    account
//	context/<platform>/<instance or _>/<context>/<platform user>  user id
type user struct {
	ID          string `json:"user-id"`
	DisplayName string `json:"display-name,omitempty"`
	PublicKey   string `json:"public-key,omitempty"`
	CreatedAt   string `json:"created-at"`
}

type account struct {
	UserID         string `json:"user-id"`
	Platform       string `json:"platform"`
	Instance       string `json:"instance,omitempty"`
	PlatformUserID string `json:"platform-user-id"`
	Method         string `json:"method,omitempty"`
	LinkedAt       string `json:"linked-at"`
}

const maxField = 256 // bytes of a name, an id or a key

// key joins parts so that none of them can hold another's separator. An empty part is "_".
func key(kind string, parts ...string) string {
	for i, p := range parts {
		if p == "" {
			p = "_"
		} else if p == "_" {
			p = "%5F"
		} else {
			p = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00").Replace(p)
		}
		parts[i] = p
	}
	return kind + "/" + strings.Join(parts, "/")
}

// need refuses what is missing or too long: pairs of name and value.
func need(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1]; {
		case strings.TrimSpace(v) == "":
			return fmt.Errorf("%w: %s is missing", errInvalid, pairs[i])
		case len(v) > maxField:
			return fmt.Errorf("%w: %s is longer than %d bytes", errInvalid, pairs[i], maxField)
		}
	}
	return nil
}

func now() string { return time.Now().Format(stdtime.RFC3339) }

func findUser(id string) (user, error) {
	if err := need("user-id", id); err != nil {
		return user{}, err
	}
	u, ok, err := kv.GetJSON[user](key("user", id))
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", errNoUser, id)
	}
	return u, err
}

func findLink(r *request) (account, bool, error) {
	if err := need("platform", r.Platform, "platform-user-id", r.PlatformUserID); err != nil {
		return account{}, false, err
	}
	return kv.GetJSON[account](linkKey(r))
}

func linkKey(r *request) string { return key("link", r.Platform, r.Instance, r.PlatformUserID) }

func resolve(r *request) (response, error) {
	l, ok, err := findLink(r)
	if err != nil || !ok {
		return response{"found": false}, err
	}
	u, err := findUser(l.UserID)
	return response{"found": true, "user": u}, err
}

func link(r *request) (response, error) {
	if _, err := findUser(r.UserID); err != nil {
		return nil, err
	}
	if _, _, err := findLink(r); err != nil { // its fields are checked
		return nil, err
	}
	l := account{r.UserID, r.Platform, r.Instance, r.PlatformUserID, r.Method, now()}
	return response{"link": l}, kv.SetJSON(linkKey(r), l)
}

func unlink(r *request) (response, error) {
	_, ok, err := findLink(r)
	if err == nil && !ok {
		err = errNoLink
	}
	if err != nil {
		return nil, err
	}
	return response{"removed": true}, kv.Delete(linkKey(r))
}

func create(r *request) (response, error) {
	if len(r.DisplayName) > maxField || len(r.PublicKey) > maxField {
		return nil, fmt.Errorf("%w: a field is longer than %d bytes", errInvalid, maxField)
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	u := user{fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), r.DisplayName, r.PublicKey, now()}
	return response{"user": u}, kv.SetJSON(key("user", u.ID), u)
}

func change(r *request, fn func(*user) error) (response, error) {
	u, err := findUser(r.UserID)
	if err == nil {
		err = fn(&u)
	}
	if err != nil {
		return nil, err
	}
	return response{"user": u}, kv.SetJSON(key("user", u.ID), u)
}

func setDisplayName(r *request) (response, error) {
	return change(r, func(u *user) error {
		u.DisplayName = strings.TrimSpace(r.DisplayName)
		return need("display-name", u.DisplayName)
	})
}

func setPublicKey(r *request) (response, error) {
	return change(r, func(u *user) error {
		u.PublicKey = strings.TrimSpace(r.PublicKey)
		return need("public-key", u.PublicKey)
	})
}

func get(r *request) (response, error) {
	u, err := findUser(r.UserID)
	return response{"user": u}, err
}

// accounts are a user's.
func accounts(id string) (keys []string, all []account, err error) {
	every, err := kv.List("link/")
	if err != nil {
		return nil, nil, err
	}
	all = []account{}
	for _, k := range every {
		l, ok, err := kv.GetJSON[account](k)
		if err != nil {
			return nil, nil, err
		}
		if ok && l.UserID == id {
			keys, all = append(keys, k), append(all, l)
		}
	}
	return keys, all, nil
}

func links(r *request) (response, error) {
	if _, err := findUser(r.UserID); err != nil {
		return nil, err
	}
	_, all, err := accounts(r.UserID)
	return response{"links": all}, err
}

// remove forgets a user, after the accounts that lead there.
func remove(r *request) (response, error) {
	if _, err := findUser(r.UserID); err != nil {
		return nil, err
	}
	keys, _, err := accounts(r.UserID)
	if err != nil {
		return nil, err
	}
	members, err := kv.List("context/")
	if err != nil {
		return nil, err
	}
	for _, k := range members {
		m, ok, err := kv.GetJSON[membership](k)
		if err != nil {
			return nil, err
		}
		if ok && m.UserID == r.UserID {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if err := kv.Delete(k); err != nil {
			return nil, err
		}
	}
	return response{"removed": true}, kv.Delete(key("user", r.UserID))
}

func list(r *request) (response, error) {
	return page(r, "user/", "users", func(user) bool { return true })
}

// page lists the records below a prefix that are wanted, from the cursor on.
func page[T any](r *request, prefix, name string, wanted func(T) bool) (response, error) {
	keys, err := kv.List(prefix)
	if err != nil {
		return nil, err
	}
	most := min(r.Limit, 1000)
	if most <= 0 {
		most = 100
	}
	found := []T{}
	last := ""
	for _, k := range keys {
		if k <= r.Cursor {
			continue
		}
		v, ok, err := kv.GetJSON[T](k)
		if err != nil {
			return nil, err
		}
		if !ok || !wanted(v) {
			continue
		}
		if len(found) == most {
			return response{name: found, "cursor": last}, nil
		}
		found, last = append(found, v), k
	}
	return response{name: found}, nil
}
