// Capsule telegram is a frontend: it brings what people write to a Telegram bot onto the bus,
// and the agent's answers back.
package main

import (
	"errors"
	"slices"
	"strings"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/env"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
	"github.com/unicity-astrid/astrid-go/sdk/runloop"
	"github.com/unicity-astrid/astrid-go/sdk/runtime"
	"github.com/unicity-astrid/astrid-go/sdk/time"
	"github.com/unicity-astrid/astrid-go/sdk/uplink"
)

var _ = runloop.Run(run)

func main() {}

const (
	longPoll  = 20                   // seconds to wait for updates while nothing runs
	shortPoll = 1                    // while a turn runs: its text is shown as it comes
	editPause = stdtime.Second       // between edits of one message: Telegram refuses more
	idleTurn  = 300 * stdtime.Second // a turn that is silent for so long is given up
	maxBack   = 60                   // seconds of the longest pause after failures
)

// frontend is the run loop's state.
type frontend struct {
	ctx     *sdk.Context
	bot     *bot
	allowed []string
	chats   map[int64]*chat
	subs    []*ipc.Subscription
	failed  int // polls in a row
}

func run(ctx *sdk.Context) error {
	f := &frontend{ctx: ctx, bot: &bot{base: strings.TrimRight(env.Get("api_base"), "/"), token: env.Get("bot_token")}, chats: map[int64]*chat{}}
	if f.bot.token == "" {
		return errors.New("bot_token is not set: astrid capsule config astrid-capsule-telegram, or install it again with --set bot_token=…")
	}
	for id := range strings.SplitSeq(env.Get("allowed_user_ids"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			f.allowed = append(f.allowed, id)
		}
	}
	if f.allowed == nil {
		ctx.Warn("allowed_user_ids is empty: nobody may talk to the agent")
	}
	if _, err := uplink.Register("telegram", "telegram", uplink.Interactive); err != nil && !errors.Is(err, abi.ErrExists) {
		return err
	}
	if err := f.load(); err != nil {
		return err
	}
	if err := f.subscribe(); err != nil {
		return err
	}
	if err := runtime.Ready(); err != nil {
		return err
	}
	for {
		if err := f.round(); err != nil {
			if errors.Is(err, abi.ErrClosed) || errors.Is(err, abi.ErrCanceled) {
				return nil // it is being unloaded
			}
			return err
		}
	}
}

func (f *frontend) subscribe() error {
	sub := func(s *ipc.Subscription, err error) error {
		f.subs = append(f.subs, s)
		return err
	}
	return errors.Join(
		sub(ipc.Subscribe(abi.TopicAgentDelta)), sub(ipc.Subscribe(abi.TopicToolStarted)),
		sub(ipc.Subscribe(abi.TopicAgentResponse)))
}

// round takes what people wrote, then what the agent said.
func (f *frontend) round() error {
	if f.failed == 0 {
		wait := longPoll
		for _, c := range f.chats {
			if c.running {
				wait = shortPoll
			}
		}
		if err := f.updates(wait); err != nil {
			if errors.Is(err, abi.ErrClosed) || errors.Is(err, abi.ErrCanceled) {
				return err
			}
			f.failed++
			f.ctx.Warn("Telegram cannot be reached", "error", err, "tries", f.failed)
		}
	}
	if err := f.hear(); err != nil {
		return err
	}
	for _, c := range f.chats {
		f.report(c, c.flush(false))
		if c.running && time.Now().Sub(c.alive) > idleTurn {
			c.text.WriteString("\nThe turn gave no sign of life and is not waited for any more.")
			c.running = false
			f.report(c, c.flush(true))
		}
	}
	return nil
}

func (f *frontend) report(c *chat, err error) {
	if err != nil {
		f.ctx.Warn("A message was not delivered", "chat", c.id, "error", err)
	}
}

// updates takes what people wrote. Each is taken once: the offset is kept before it is acted upon.
func (f *frontend) updates(wait int) error {
	offset, err := f.offset()
	if err != nil {
		return err
	}
	list, err := f.bot.updates(offset, wait)
	if err != nil {
		return err
	}
	for _, u := range list {
		if err := f.setOffset(u.ID + 1); err != nil {
			return err
		}
		if u.Message.Text == "" || u.Message.Chat.ID == 0 {
			continue
		}
		c := f.chat(u.Message.Chat.ID)
		f.report(c, f.said(c, u.Message))
	}
	return nil
}

// hear takes what the agent said. While Telegram cannot be reached it waits here.
func (f *frontend) hear() error {
	for i, s := range f.subs {
		pause := stdtime.Duration(0)
		if i == 0 && f.failed > 0 {
			pause = min(stdtime.Second<<min(f.failed, 6), maxBack*stdtime.Second)
		}
		batch, err := s.Recv(pause)
		if err != nil {
			return err
		}
		for _, m := range batch.Messages {
			f.take(m)
		}
	}
	if f.failed > 0 {
		f.failed = 0 // the pause is over: try again
	}
	return nil
}

// take shows a message of the bus in the chat whose session it is about.
func (f *frontend) take(m abi.Message) {
	var about struct {
		SessionID string `json:"session_id"`
	}
	if got, err := ipc.Decode[struct {
		SessionID string `json:"session_id"`
	}](m); err == nil {
		about = got
	}
	session := m.Session
	if session == "" {
		session = about.SessionID
	}
	for _, c := range f.chats {
		if c.session == session && session != "" {
			f.report(c, c.take(m))
		}
	}
}

func (f *frontend) mayTalk(id string) bool { return slices.Contains(f.allowed, id) }
