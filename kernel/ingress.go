package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/ipc"
)

// What clients may put on the bus. Everything else they say is for the kernel itself.
var (
	ingressTopics   = []string{abi.TopicUserPrompt, abi.TopicCommandExecute, "registry.v1.get_providers", "registry.v1.get_active_model", "registry.v1.set_active_model", abi.TopicRefreshModels}
	ingressPrefixes = []string{"registry.v1.selection.", "session.v1.request."}
)

// take handles one frame of a client. The error goes back to it.
func (c *client) take(f *abi.ClientFrame) error {
	if f.Topic == "" {
		return fmt.Errorf("frame has no topic")
	}
	switch {
	case f.Topic == abi.TopicClientSubscribe:
		var req abi.ClientSubscribe
		if err := json.Unmarshal(f.Payload, &req); err != nil {
			return fmt.Errorf("%s: %w", f.Topic, err)
		}
		return c.subscribe(req)
	case strings.HasPrefix(f.Topic, abi.TopicRequestPrefix):
		return c.manage(f)
	case strings.HasPrefix(f.Topic, abi.TopicApprovalResponse):
		return c.answerApproval(f)
	case strings.HasPrefix(f.Topic, abi.TopicElicitResponse):
		return c.answerQuestion(f)
	case slices.Contains(ingressTopics, f.Topic), slices.ContainsFunc(ingressPrefixes, func(p string) bool { return strings.HasPrefix(f.Topic, p) }):
		return c.publish(f)
	}
	return fmt.Errorf("topic %q is not open to clients", f.Topic)
}

// publish puts a client's message on the bus, stamped by the kernel.
func (c *client) publish(f *abi.ClientFrame) error {
	if err := ipc.ValidTopic(f.Topic); err != nil {
		return err
	}
	if len(f.Payload) > abi.MaxPublish {
		return fmt.Errorf("payload of %d bytes, the limit is %d", len(f.Payload), abi.MaxPublish)
	}
	payload, err := ipc.ClassifyPayload(f.Payload)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Topic, err)
	}
	session, err := sessionOf(f)
	if err != nil {
		return err
	}
	select {
	case <-c.k.ready: // a message sent before the capsules are there would reach nobody
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	if err := c.k.files.bind(c.ctx, c.principal, session, f.Workspace); err != nil {
		return err
	}
	c.enter(session)
	if err := c.k.followWorkspace(c.ctx, c.principal, session); err != nil {
		return err
	}
	if !c.k.handled(f.Topic) {
		return fmt.Errorf("no capsule handles %s: `astrid status` shows what is installed, `astrid init` installs a distribution", f.Topic)
	}
	return publisher{c.k}.Publish(c.ctx, &ipc.Message{
		Topic: f.Topic, Payload: payload, SourceID: kernelSourceID, Source: "client", Principal: c.principal, Session: session,
	})
}

// handled tells whether a running capsule answers a topic. An interceptor behind the default
// priority only watches what others handle.
func (k *Kernel) handled(topic string) bool {
	return slices.ContainsFunc(k.registry.List(), func(c *capsule.Capsule) bool {
		return slices.ContainsFunc(c.Manifest().Interceptors, func(ic capsule.Interceptor) bool {
			return ic.Priority <= capsule.DefaultPriority && ipc.MatchExact(ic.Event, topic)
		})
	})
}

// sessionOf reads the session a frame belongs to: named in the frame, or in the payload
// as clients of the original protocol do.
func sessionOf(f *abi.ClientFrame) (string, error) {
	s := f.Session
	if s == "" {
		var p struct {
			SessionID string `json:"session_id"`
		}
		if json.Unmarshal(f.Payload, &p) == nil {
			s = p.SessionID
		}
	}
	if len(s) > abi.MaxSessionID || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return "", fmt.Errorf("session id must be at most %d bytes of text without control characters", abi.MaxSessionID)
	}
	return s, nil
}
