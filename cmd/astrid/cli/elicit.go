package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// hooksTable of an answers file has the answers to what capsules ask, and a table of each capsule that needs its own.
const hooksTable = "hooks"

// hookAnswers answers what capsules ask while they are installed: from a file, else on the terminal.
type hookAnswers struct {
	*given
	used map[string]bool
	in   *bufio.Reader // nil: nobody can be asked
}

// hookAnswers reads the answers file, if there is one.
func (s System) hookAnswers(file string) (*hookAnswers, error) {
	g, err := s.gather(file, nil)
	return &hookAnswers{given: g, used: map[string]bool{}}, err
}

// readHooks takes strings and lists of strings from the table hooks, or from the one of a capsule in it. Values are not shown:
// they may be secrets.
func (g *given) readHooks(table map[string]any, capsule string) error {
	for _, key := range names(table) {
		list, isList := table[key].([]any)
		text, isText := table[key].(string)
		sub, isTable := table[key].(map[string]any)
		switch {
		case isTable && capsule == "":
			if err := g.readHooks(sub, key+"."); err != nil {
				return err
			}
			continue
		case isText:
			list = []any{text}
		case !isList:
			return fmt.Errorf("[%s] %s%s must be a string or a list of strings", hooksTable, capsule, key)
		}
		values := []string{}
		for _, v := range list {
			text, ok := v.(string)
			if !ok {
				return fmt.Errorf("[%s] %s%s must be a string or a list of strings", hooksTable, capsule, key)
			}
			text, err := g.expand(text)
			if err != nil {
				return fmt.Errorf("[%s] %s%s: %w", hooksTable, capsule, key, err)
			}
			values = append(values, text)
		}
		g.hooks[capsule+key] = values
	}
	return nil
}

// attend answers on a connection of its own while work runs. With no answers and no terminal nobody attends, and the
// daemon is told so by nobody being there.
func (a *hookAnswers) attend(ctx context.Context, h home.Home, work func(context.Context) error) error {
	if a == nil || len(a.hooks) == 0 && a.in == nil {
		return work(ctx)
	}
	conn, err := client.Dial(ctx, h, Version)
	if errors.Is(err, client.ErrNoDaemon) {
		if len(a.hooks) == 0 {
			return work(ctx) // the next daemon runs the hooks
		}
		conn, err = a.sys.daemon(ctx) // answers were given for now
	}
	if err != nil {
		return err
	}
	if err := conn.Subscribe(ctx, abi.ClientSubscribe{Elicitor: true}); err != nil {
		return errors.Join(err, conn.Close())
	}
	ctx, cancel := context.WithTimeoutCause(ctx, abi.LifecycleDeadline, fmt.Errorf("the capsules' hooks did not end within %s", abi.LifecycleDeadline))
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for m := range conn.Messages() {
			if err := a.answer(ctx, conn, m); err != nil {
				a.sys.notef("%v", err)
			}
		}
	})
	err = work(ctx)
	err = errors.Join(err, conn.Close())
	wg.Wait()
	for _, key := range names(a.hooks) {
		if !a.used[key] {
			a.sys.notef("[hooks] of the answers has %s, which nobody asked for", printable(key))
		}
	}
	return err
}

func (a *hookAnswers) answer(ctx context.Context, conn *client.Conn, m abi.Message) error {
	if m.Topic != abi.TopicElicit {
		return nil
	}
	var q abi.ElicitRequestEvent
	if err := json.Unmarshal(m.Payload, &q); err != nil {
		return fmt.Errorf("a question that cannot be read: %w", err)
	}
	for {
		r := abi.ElicitResponse{RequestID: q.RequestID}
		err := a.fill(ctx, &r, q)
		serr := conn.Publish(ctx, abi.TopicElicitResponse+q.RequestID, "", "", r)
		switch {
		case serr == nil || ctx.Err() != nil:
			return err
		case r.Value == nil && r.Values == nil:
			return err // even no answer was not taken: it is asked no more
		}
		a.sys.notef("the answer to %s of %s was not taken: %v", printable(q.Field.Key), printable(q.CapsuleID), serr)
		if a.in == nil { // the file will not say anything else
			return conn.Publish(ctx, abi.TopicElicitResponse+q.RequestID, "", "", abi.ElicitResponse{RequestID: q.RequestID})
		}
	}
}

// fill finds the answer to a question. What has none is answered with nothing, so that the hook need not wait.
func (a *hookAnswers) fill(ctx context.Context, r *abi.ElicitResponse, q abi.ElicitRequestEvent) error {
	key := q.CapsuleID + "." + q.Field.Key
	values, ok := a.hooks[key]
	if !ok {
		key = q.Field.Key
		values, ok = a.hooks[key]
	}
	if ok && a.used[key] && a.in != nil {
		ok = false // it was not taken: now the person decides
	}
	a.used[key] = true
	switch {
	case ok && (len(values) != 1 || q.Field.FieldType.Name == "Array"):
		r.Values = values
		return nil
	case ok:
		r.Value = &values[0]
		return nil
	case a.in != nil:
		return a.askPerson(ctx, r, q)
	case q.Field.Default != "":
		r.Value = &q.Field.Default
		return nil
	}
	return fmt.Errorf("%s asks for %s, which [hooks] of --answers does not have", printable(q.CapsuleID), printable(q.Field.Key))
}

// askPerson puts a question on the terminal.
func (a *hookAnswers) askPerson(ctx context.Context, r *abi.ElicitResponse, q abi.ElicitRequestEvent) error {
	f := q.Field
	prompt := "  " + printable(q.CapsuleID) + " asks: " + printable(f.Prompt)
	switch f.FieldType.Name {
	case "Enum":
		prompt += " (" + printable(strings.Join(f.FieldType.Enum, ", ")) + ")"
	case "Array":
		prompt += " (separated by commas)"
	}
	if f.Default != "" {
		prompt += " [" + printable(f.Default) + "]"
	}
	text, err := a.sys.ask(ctx, a.in, prompt, f.FieldType.Name == "Secret")
	if err != nil {
		return err
	}
	if text == "" {
		text = f.Default
	}
	switch {
	case f.FieldType.Name == "Array":
		r.Values = []string{}
		for _, v := range strings.Split(text, ",") {
			if v = strings.TrimSpace(v); v != "" {
				r.Values = append(r.Values, v)
			}
		}
	case text != "":
		r.Value = &text
	}
	return nil
}
