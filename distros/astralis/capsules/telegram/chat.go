package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	stdtime "time"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/kv"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

// Keys: tg.offset is the number of the next update, tg.session.<chat> the session of a chat.
const (
	offsetKey     = "tg.offset"
	sessionPrefix = "tg.session."
)

const (
	maxMessage = 4000     // bytes of one message; Telegram takes 4096 characters
	maxAnswer  = 64 << 10 // bytes of an answer that are shown
)

// chat is a conversation, which is a session.
type chat struct {
	bot     *bot
	id      int64
	session string

	running bool
	alive   stdtime.Time
	text    strings.Builder // of the turn
	shown   []int64         // messages that show it, in order
	last    string          // text of the last of them
	edited  stdtime.Time
	quiet   stdtime.Time // until then Telegram wants to be left alone
}

type kept struct {
	SessionID string `json:"session_id"`
}

// load finds the chats there were.
func (f *frontend) load() error {
	keys, err := kv.List(sessionPrefix)
	if err != nil {
		return err
	}
	for _, k := range keys {
		id, err := strconv.ParseInt(strings.TrimPrefix(k, sessionPrefix), 10, 64)
		if err != nil {
			continue
		}
		s, _, err := kv.GetJSON[kept](k)
		if err != nil {
			return err
		}
		f.chats[id] = &chat{bot: f.bot, id: id, session: s.SessionID}
	}
	return nil
}

func (f *frontend) chat(id int64) *chat {
	if f.chats[id] == nil {
		f.chats[id] = &chat{bot: f.bot, id: id}
	}
	return f.chats[id]
}

func (f *frontend) offset() (int64, error) {
	n, _, err := kv.GetJSON[int64](offsetKey)
	return n, err
}

func (f *frontend) setOffset(n int64) error { return kv.SetJSON(offsetKey, n) }

// begin gives the chat a new session.
func (c *chat) begin() error {
	c.session = fmt.Sprintf("tg-%d-%x", c.id, time.Now().UnixMilli())
	return kv.SetJSON(sessionPrefix+strconv.FormatInt(c.id, 10), kept{c.session})
}

// said acts upon what somebody wrote.
func (f *frontend) said(c *chat, m message) error {
	user := strconv.FormatInt(m.From.ID, 10)
	if !f.mayTalk(user) {
		_, err := c.bot.send(c.id, "Not authorized. The owner can allow your user id, "+user+".")
		return err
	}
	if c.session == "" {
		if err := c.begin(); err != nil {
			return err
		}
	}
	text := strings.TrimSpace(m.Text)
	if strings.HasPrefix(text, "/") {
		return c.command(text)
	}
	// Without a turn id it begins a turn, or is taken into the one that runs.
	if err := ipc.PublishTagged(abi.TopicUserPrompt, abi.UserInput{Text: text, SessionID: c.session}); err != nil {
		_, serr := c.bot.send(c.id, "That could not be handed in: "+err.Error())
		return errors.Join(err, serr)
	}
	c.alive = time.Now()
	if c.running {
		return nil
	}
	c.running, c.shown, c.last = true, nil, ""
	c.text.Reset()
	return c.bot.call("sendChatAction", map[string]any{"chat_id": c.id, "action": "typing"}, nil)
}

func (c *chat) command(text string) error {
	name, _, _ := strings.Cut(text, " ")
	name, _, _ = strings.Cut(name, "@")
	say := func(text string) error { _, err := c.bot.send(c.id, text); return err }
	switch name {
	case "/start", "/help":
		return say("Write what you want. /cancel ends what is running, /new begins another session.")
	case "/cancel":
		if !c.running {
			return say("Nothing is running.")
		}
		return ipc.PublishTagged(abi.TopicUserPrompt, abi.UserInput{SessionID: c.session, Context: []byte(`{"action":"` + abi.ActionCancelTurn + `"}`)})
	case "/new", "/reset":
		if c.running {
			return say("A turn is running: /cancel it first.")
		}
		return errors.Join(c.begin(), say("This is a new session. The old one is kept."))
	}
	return say("There is no command " + name + ": /help lists them.")
}

// take shows something the agent did.
func (c *chat) take(m abi.Message) error {
	c.alive = time.Now()
	switch m.Topic {
	case abi.TopicAgentDelta:
		d, err := ipc.Decode[abi.TextDelta](m)
		if err == nil && c.running && c.text.Len() < maxAnswer {
			c.text.WriteString(d.Text)
		}
		return err
	case abi.TopicToolStarted:
		return c.bot.call("sendChatAction", map[string]any{"chat_id": c.id, "action": "typing"}, nil)
	case abi.TopicAgentResponse:
		r, err := ipc.Decode[abi.AgentResponse](m)
		if err != nil || !r.IsFinal {
			return err
		}
		// The answer is in the deltas, or it is an error, or they came from an earlier start.
		if !strings.HasSuffix(strings.TrimSpace(c.text.String()), strings.TrimSpace(r.Text)) {
			if c.text.Len() > 0 {
				c.text.WriteString("\n\n")
			}
			c.text.WriteString(clip(r.Text, maxAnswer))
		}
		if strings.TrimSpace(c.text.String()) == "" {
			c.text.WriteString("(cancelled)")
		}
		c.running = false
		return c.flush(true)
	}
	return nil
}

// flush shows the text of the turn: the last message is edited while it has room, then others
// follow. Edits are spaced; the last one is not left out.
func (c *chat) flush(final bool) error {
	now := time.Now()
	text := c.text.String()
	if strings.TrimSpace(text) == "" || !final && (now.Sub(c.edited) < editPause || now.Before(c.quiet)) {
		return nil
	}
	pieces := split(text)
	for i := max(len(c.shown)-1, 0); i < len(pieces); i++ {
		if err := c.show(i, pieces[i], final); err != nil {
			return err
		}
	}
	c.edited = now
	return nil
}

func (c *chat) show(i int, piece string, final bool) error {
	if i < len(c.shown) && piece == c.last {
		return nil
	}
	for try := 0; ; try++ {
		var err error
		if i < len(c.shown) {
			err = c.bot.edit(c.id, c.shown[i], piece)
		} else {
			var id int64
			if id, err = c.bot.send(c.id, piece); err == nil {
				c.shown = append(c.shown, id)
			}
		}
		var busy *errBusy
		if !errors.As(err, &busy) {
			if err == nil {
				c.last = piece
			}
			return err
		}
		c.quiet = time.Now().Add(busy.after)
		if !final {
			return nil // the next flush has it
		}
		if try == 3 {
			return err
		}
		pause(min(busy.after, maxBack*stdtime.Second))
	}
}

// pause waits. A guest has nothing to wait on but messages; these only make it look at the clock.
func pause(d stdtime.Duration) {
	s, err := ipc.Subscribe(abi.TopicToolStarted)
	if err != nil {
		return
	}
	defer s.Close()
	for until := time.Now().Add(d); err == nil && time.Now().Before(until); {
		_, err = s.Recv(until.Sub(time.Now()))
	}
}

// split cuts text into messages, at line ends where it can.
func split(text string) []string {
	var out []string
	for text = strings.TrimSpace(text); len(text) > maxMessage; {
		cut := strings.LastIndexByte(text[:maxMessage], '\n')
		if cut < maxMessage/2 {
			for cut = maxMessage; !utf8.RuneStart(text[cut]); {
				cut--
			}
		}
		out = append(out, text[:cut])
		text = strings.TrimLeft(text[cut:], "\n")
	}
	return append(out, text)
}

// clip cuts at a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
