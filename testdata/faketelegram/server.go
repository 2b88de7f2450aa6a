// Package faketelegram is a stand-in for Telegram's Bot API, as far as a bot that chats needs it:
// getUpdates, sendMessage, editMessageText, sendChatAction, over HTTP.
//
// It refuses what Telegram refuses: a wrong token, an empty or too long text, a message that is not
// there, and with [Server.Busy] requests that come too fast.
package faketelegram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// Message is one that the bot has sent, as it is after all edits.
type Message struct {
	ID, Chat int64
	Text     string
	Edits    int
}

// Server is a bot's view of Telegram.
type Server struct {
	Token string

	mu       sync.Mutex
	arrived  chan struct{} // closed and replaced when an update comes
	updates  []update
	next     int64
	messages []*Message
	busy     int
	actions  int
}

type update struct {
	ID      int64 `json:"update_id"`
	Message any   `json:"message"`
}

// New makes a server that knows one bot.
func New(token string) *Server { return &Server{Token: token, next: 1, arrived: make(chan struct{})} }

// Say has a person write to the bot in a chat.
func (s *Server) Say(user, chat int64, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.updates = append(s.updates, update{s.next, map[string]any{
		"message_id": s.next, "text": text, "chat": map[string]any{"id": chat, "type": "private"}, "from": map[string]any{"id": user, "first_name": "Ida"},
	}})
	s.next++
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// Sent lists what the bot has sent to a chat.
func (s *Server) Sent(chat int64) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Message
	for _, m := range s.messages {
		if m.Chat == chat {
			out = append(out, *m)
		}
	}
	return out
}

// Busy has the next n requests but getUpdates refused with 429.
func (s *Server) Busy(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = n
}

// request holds the parameters of all methods.
type request struct {
	Offset    int64  `json:"offset"`
	Timeout   int    `json:"timeout"`
	ChatID    int64  `json:"chat_id"`
	MessageID int64  `json:"message_id"`
	Text      string `json:"text"`
}

// ServeHTTP answers /bot<token>/<method>.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	var q request
	switch {
	case token != s.Token:
		fail(w, 401, "Unauthorized")
	case r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&q) != nil:
		fail(w, 400, "Bad Request: can't parse the request")
	case method == "getUpdates":
		s.getUpdates(w, r, q)
	default:
		s.call(w, method, q)
	}
}

func (s *Server) getUpdates(w http.ResponseWriter, r *http.Request, q request) {
	deadline := time.After(time.Duration(q.Timeout) * time.Second)
	for {
		s.mu.Lock()
		for len(s.updates) > 0 && s.updates[0].ID < q.Offset {
			s.updates = s.updates[1:]
		}
		out, arrived := append([]update{}, s.updates...), s.arrived
		s.mu.Unlock()
		if len(out) > 0 || q.Timeout == 0 {
			reply(w, out)
			return
		}
		select {
		case <-arrived:
		case <-deadline:
			q.Timeout = 0
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) call(w http.ResponseWriter, method string, q request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy > 0 {
		s.busy--
		w.Header().Set("Retry-After", "1")
		fail(w, 429, "Too Many Requests: retry after 1")
		return
	}
	length := len(utf16.Encode([]rune(q.Text)))
	switch method {
	case "sendChatAction":
		s.actions++
		reply(w, true)
	case "sendMessage", "editMessageText":
		switch {
		case strings.TrimSpace(q.Text) == "":
			fail(w, 400, "Bad Request: message text is empty")
			return
		case length > 4096:
			fail(w, 400, "Bad Request: message is too long")
			return
		}
		m := &Message{ID: int64(len(s.messages) + 100), Chat: q.ChatID}
		if method == "editMessageText" {
			i := int(q.MessageID) - 100
			if i < 0 || i >= len(s.messages) || s.messages[i].Chat != q.ChatID {
				fail(w, 400, "Bad Request: message to edit not found")
				return
			}
			if m = s.messages[i]; m.Text == q.Text {
				fail(w, 400, "Bad Request: message is not modified")
				return
			}
			m.Edits++
		} else {
			s.messages = append(s.messages, m)
		}
		m.Text = q.Text
		reply(w, map[string]any{"message_id": m.ID, "chat": map[string]any{"id": m.Chat}, "text": m.Text})
	default:
		fail(w, 404, "Not Found")
	}
}

func reply(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result}) // the bot may be gone
}

func fail(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"ok":false,"error_code":%d,"description":%q}`, code, text)
}
