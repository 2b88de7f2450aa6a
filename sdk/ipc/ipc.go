// Package ipc publishes to and listens on the bus. The manifest must allow each topic
// and pattern. Source, principal, session and time of a message are set by the kernel.
package ipc

import (
	"fmt"
	"strconv"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
)

// Publish sends v on topic. Bytes and json.RawMessage are taken to be JSON already, a
// tagged payload gets its tag, anything else is encoded as JSON. It returns once the
// message is queued for everybody; abi.ErrQueueFull says that somebody missed it (the
// others have it). A capsule that sends more than [abi.MaxPublishPerSec] waits here.
func Publish(topic string, v any) error {
	b, err := wire.Payload(v)
	if err != nil {
		return fmt.Errorf("payload for %s: %w", topic, err)
	}
	_, err = link.Call(abi.IpcPublish, topic, link.Text(b))
	return err
}

// PublishTagged is [Publish] for records with a tag; the compiler checks that it is one.
func PublishTagged(topic string, p abi.TaggedPayload) error { return Publish(topic, p) }

// Subscription collects messages until it is polled. Close it: an instance can have
// [abi.MaxSubscriptions].
type Subscription struct{ handle string }

// Subscribe collects messages on topics that match pattern from now on. A trailing *
// stands for one or more segments.
func Subscribe(pattern string) (*Subscription, error) {
	h, err := link.Call(abi.IpcSubscribe, pattern)
	if err != nil {
		return nil, err
	}
	return &Subscription{handle: string(h)}, nil
}

// Handle returns the subscription with that id, as listed by runtime.InterceptorHandles.
func Handle(id uint64) *Subscription {
	return &Subscription{handle: strconv.FormatUint(id, 10)}
}

// ID is the host's handle of the subscription, as decimal text.
func (s *Subscription) ID() string { return s.handle }

// Poll returns what has arrived, possibly nothing, without waiting.
func (s *Subscription) Poll() (abi.PollEnvelope, error) {
	var e abi.PollEnvelope
	err := wire.Get(abi.IpcPoll, &e, s.handle)
	return e, err
}

// Recv waits for a message, at most timeout (capped at [abi.MaxRecv]), and returns all
// that have arrived. No messages and no error mean that time is up.
func (s *Subscription) Recv(timeout time.Duration) (abi.PollEnvelope, error) {
	var e abi.PollEnvelope
	ms := max(timeout, 0).Milliseconds()
	err := wire.Get(abi.IpcRecv, &e, s.handle, strconv.FormatInt(ms, 10))
	return e, err
}

// Close ends the subscription. Those that the runtime opened cannot be closed.
func (s *Subscription) Close() error {
	_, err := link.Call(abi.IpcUnsubscribe, s.handle)
	return err
}

// Request publishes v on topic and waits for the first message on replyTopic, which
// should be one that only this request's answer uses. It returns abi.ErrTimeout when
// none comes in time.
func Request(topic string, v any, replyTopic string, timeout time.Duration) (m abi.Message, err error) {
	s, err := Subscribe(replyTopic)
	if err != nil {
		return m, err
	}
	defer func() {
		if cerr := s.Close(); err == nil {
			err = cerr
		}
	}()
	if err := Publish(topic, v); err != nil {
		return m, err
	}
	for left := timeout; ; left -= abi.MaxRecv {
		e, err := s.Recv(min(left, abi.MaxRecv))
		if err != nil {
			return m, err
		}
		if len(e.Messages) > 0 {
			return e.Messages[0], nil
		}
		if left <= abi.MaxRecv {
			return m, abi.Errorf(abi.CodeTimeout, "no answer on %s to the request on %s within %s", replyTopic, topic, timeout)
		}
	}
}

// Decode decodes the payload of a polled message, unwrapped by [Unwrap].
func Decode[T any](m abi.Message) (T, error) {
	var v T
	b, err := Unwrap(m.Payload)
	if err == nil {
		err = wire.Unmarshal(b, &v)
	}
	if err != nil {
		return v, fmt.Errorf("message on %s: %w", m.Topic, err)
	}
	return v, nil
}
