// Capsule session keeps the messages of each session, in the order they were appended, and
// answers the verbs of abi's session records. An append is stored durably before its reply is
// published.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/rawjson"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
)

var (
	_ = sdk.On("handle_append", handleAppend)
	_ = sdk.On("handle_get_messages", handleGetMessages)
	_ = sdk.On("handle_clear", handleClear)
	_ = sdk.On("handle_list", handleList)
	_ = sdk.On("handle_get_meta", handleGetMeta)
	_ = sdk.On("handle_update", handleUpdate)
	_ = sdk.On("handle_delete", handleDelete)
	_ = sdk.On("handle_search", handleSearch)
	_ = sdk.On("handle_export", handleExport)
	_ = sdk.On("handle_fork", handleFork)
	_ = sdk.On("handle_set_context", handleSetContext)
)

func main() {}

type appendRequest struct {
	SessionID string            `json:"session_id"`
	Messages  []abi.ChatMessage `json:"messages"`
}

func handleAppend(ctx *sdk.Context, r appendRequest) error {
	defer forgetNewest()
	workspace = ctx.Caller().Workspace
	id := idOr(r.SessionID)
	stored, err := store(id, "", false, r.Messages)
	if err != nil || !stored {
		return err
	}
	return count(id, r.Messages)
}

// getRequest is an [abi.SessionMessagesRequest] whose messages are read later, so that a
// mistake in them can be answered.
type getRequest struct {
	SessionID        string          `json:"session_id"`
	CorrelationID    string          `json:"correlation_id"`
	AppendBeforeRead json.RawMessage `json:"append_before_read"`
	AppendID         string          `json:"append_id"`
	Repeated         bool            `json:"repeated"`
	Context          bool            `json:"context"`
	From             int             `json:"from"`
	Limit            int             `json:"limit"`
	Last             int             `json:"last"`
	Before           int             `json:"before"`
}

func handleGetMessages(ctx *sdk.Context, r getRequest) error {
	defer forgetNewest()
	workspace = ctx.Caller().Workspace
	id := idOr(r.SessionID)
	a := page{CorrelationID: r.CorrelationID}
	var added []abi.ChatMessage
	err := answer("get_messages", r.CorrelationID, &a, &a.Error, func() error {
		stored, err := appendFirst(id, r, &added)
		if err != nil {
			return err
		}
		if !stored {
			added = nil
		}
		switch {
		case r.Last > 0:
			return tail(id, r, &a)
		case r.Context:
			return view(id, r, &a)
		}
		return messages(id, r, &a)
	})
	if len(added) > 0 { // nobody waits for this
		err = errors.Join(err, count(id, added))
	}
	return err
}

func appendFirst(id string, r getRequest, added *[]abi.ChatMessage) (stored bool, err error) {
	if len(r.AppendBeforeRead) == 0 || string(r.AppendBeforeRead) == "null" {
		return false, nil
	}
	if *added, err = abi.DecodeMessages(r.AppendBeforeRead); err != nil {
		return false, fmt.Errorf("failed to parse messages: %w", err)
	}
	return store(id, r.AppendID, r.Repeated, *added)
}

// page is an [abi.SessionMessages] whose messages are as they were stored.
type page struct {
	CorrelationID      string
	Messages           []json.RawMessage
	Total, Head, Start int
	Earlier            int
	LastAppendID       string
	Error              string
}

// AppendJSON writes the answer; what is empty and optional is left out.
func (p *page) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(rawjson.AppendText(append(dst, `{"correlation_id":`...), p.CorrelationID), `,"messages":[`...)
	for i, m := range p.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
	}
	dst = append(dst, ']')
	for _, n := range []struct {
		name  string
		value int
	}{{"total", p.Total}, {"head", p.Head}, {"start", p.Start}, {"earlier", p.Earlier}} {
		if n.value != 0 {
			dst = append(rawjson.AppendText(append(dst, ','), n.name), ':')
			dst = strconv.AppendInt(dst, int64(n.value), 10)
		}
	}
	if p.LastAppendID != "" {
		dst = rawjson.AppendText(append(dst, `,"last_append_id":`...), p.LastAppendID)
	}
	if p.Error != "" {
		dst = rawjson.AppendText(append(dst, `,"error":`...), p.Error)
	}
	return append(dst, '}'), nil
}

type clearResponse struct {
	CorrelationID string `json:"correlation_id"`
	NewSessionID  string `json:"new_session_id"`
	OldSessionID  string `json:"old_session_id"`
	Error         string `json:"error,omitempty"`
}

// handleClear starts a new session whose parent is the old one; the old one stays.
func handleClear(ctx *sdk.Context, r abi.SessionRequest) error {
	workspace = ctx.Caller().Workspace
	a := clearResponse{CorrelationID: r.CorrelationID, OldSessionID: idOr(r.SessionID)}
	return answer("clear", r.CorrelationID, &a, &a.Error, func() error {
		a.NewSessionID = newUUID()
		return kv.SetJSON(metaKey(a.NewSessionID), fresh(a.NewSessionID, a.OldSessionID))
	})
}

func idOr(id string) string {
	if id == "" {
		return "default"
	}
	return id
}

// checkCorrelation refuses ids that would not be one segment of the reply's topic.
func checkCorrelation(id string) error {
	if id == "" || strings.Contains(id, ".") {
		return fmt.Errorf("correlation_id %q must not be empty or contain dots", id)
	}
	return nil
}
