package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/sdk/http"
)

// bot speaks Telegram's Bot API. Errors never hold the address, which has the token in it.
type bot struct {
	base, token string
}

type update struct {
	ID      int64   `json:"update_id"`
	Message message `json:"message"`
}

type message struct {
	ID   int64  `json:"message_id"`
	Text string `json:"text"`
	Chat struct {
		ID int64 `json:"id"`
	} `json:"chat"`
	From struct {
		ID int64 `json:"id"`
	} `json:"from"`
}

// errBusy says how long Telegram wants to be left alone.
type errBusy struct{ after stdtime.Duration }

func (e *errBusy) Error() string { return "Telegram wants fewer requests: wait " + e.after.String() }

func (b *bot) call(method string, params any, into any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	r, err := http.Post(b.base+"/bot"+b.token+"/"+method, "application/json", body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, withoutAddress(err))
	}
	var answer struct {
		OK          bool            `json:"ok"`
		Description string          `json:"description"`
		Result      json.RawMessage `json:"result"`
	}
	if err := r.JSON(&answer); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	switch {
	case r.Status == 429:
		secs, err := strconv.Atoi(r.Header("retry-after"))
		if err != nil || secs <= 0 {
			secs = 5
		}
		return &errBusy{stdtime.Duration(secs) * stdtime.Second}
	case !answer.OK:
		return fmt.Errorf("%s: status %d: %s", method, r.Status, answer.Description)
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer.Result, into)
}

// withoutAddress drops the text of an error, which names the URL, but for its kind.
func withoutAddress(err error) error { return &hidden{err} }

type hidden struct{ err error }

func (h *hidden) Error() string {
	return "the request failed or was not allowed (astrid audit says why)"
}
func (h *hidden) Unwrap() error { return h.err }

func (b *bot) updates(offset int64, wait int) (list []update, err error) {
	err = b.call("getUpdates", map[string]any{"offset": offset, "timeout": wait, "allowed_updates": []string{"message"}}, &list)
	return list, err
}

func (b *bot) send(chat int64, text string) (id int64, err error) {
	var m message
	err = b.call("sendMessage", map[string]any{"chat_id": chat, "text": text}, &m)
	return m.ID, err
}

func (b *bot) edit(chat, id int64, text string) error {
	return b.call("editMessageText", map[string]any{"chat_id": chat, "message_id": id, "text": text}, nil)
}
