// Capsule users knows which accounts of outside platforms belong to the same person, and
// where a person is talking.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.On("users_resolve", serve("resolve", resolve))
	_ = sdk.On("users_link", serve("link", link))
	_ = sdk.On("users_unlink", serve("unlink", unlink))
	_ = sdk.On("users_create", serve("create", create))
	_ = sdk.On("users_set_display_name", serve("set_display_name", setDisplayName))
	_ = sdk.On("users_set_public_key", serve("set_public_key", setPublicKey))
	_ = sdk.On("users_links", serve("links", links))
	_ = sdk.On("users_get", serve("get", get))
	_ = sdk.On("users_delete", serve("delete", remove))
	_ = sdk.On("users_list", serve("list", list))
	_ = sdk.On("users_context_set", serveContext("set", contextSet))
	_ = sdk.On("users_context_clear", serveContext("clear", contextClear))
	_ = sdk.On("users_context_get", serveContext("get", contextGet))
	_ = sdk.On("users_context_list_for_user", serveContext("list_for_user", contextsOfUser))
	_ = sdk.On("users_context_list_in_context", serveContext("list_in_context", usersInContext))
)

func main() {}

// request holds the fields of all verbs; each uses its own.
type request struct {
	Source struct {
		Uplink        string `json:"uplink"`
		UserID        string `json:"user-id"`
		CorrelationID string `json:"correlation-id"`
	} `json:"source"`
	Platform       string `json:"platform"`
	Instance       string `json:"instance"` // of the platform, where there are several
	PlatformUserID string `json:"platform-user-id"`
	UserID         string `json:"user-id"`
	DisplayName    string `json:"display-name"`
	PublicKey      string `json:"public-key"`
	Method         string `json:"method"` // how the person proved that the account is theirs
	ContextID      string `json:"context-id"`
	Limit          int    `json:"limit"`
	Cursor         string `json:"cursor"`
}

// response is what a verb answers besides the correlation id.
type response map[string]any

type handler func(*request) (response, error)

var (
	errInvalid  = errors.New("invalid input")
	errNoUser   = errors.New("user not found")
	errNoLink   = errors.New("link not found")
	errNoMember = errors.New("context not found")
)

func serve(verb string, h handler) func(*sdk.Context, json.RawMessage) error {
	return func(_ *sdk.Context, raw json.RawMessage) error {
		return ipc.Publish("users.v1."+verb+".response", answer(raw, h))
	}
}

func serveContext(verb string, h handler) func(*sdk.Context, json.RawMessage) error {
	return func(_ *sdk.Context, raw json.RawMessage) error {
		return ipc.Publish("users.v1.context."+verb+".response", answer(raw, h))
	}
}

func answer(raw json.RawMessage, h handler) response {
	var r request
	out := response{}
	err := json.Unmarshal(hyphens(raw), &r)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: %v", errInvalid, err)
	case r.Source.Uplink == "":
		err = fmt.Errorf("%w: source.uplink is missing", errInvalid)
	default:
		r.Platform, r.Instance = strings.ToLower(strings.TrimSpace(r.Platform)), strings.TrimSpace(r.Instance)
		var got response
		if got, err = h(&r); err == nil {
			out = got
		}
	}
	if err != nil {
		out = response{"error": err.Error()}
	}
	if r.Source.CorrelationID != "" {
		out["correlation-id"] = r.Source.CorrelationID
	}
	return out
}

// hyphens rewrites the keys of an object and of the objects in it that have underscores.
func hyphens(raw json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'{'}) || json.Unmarshal(raw, &fields) != nil {
		return raw
	}
	out := make(map[string]json.RawMessage, len(fields))
	for k, v := range fields {
		out[strings.ReplaceAll(k, "_", "-")] = hyphens(v)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return raw
	}
	return b
}
