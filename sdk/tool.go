package sdk

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
	"github.com/unicity-astrid/astrid-go/sdk/internal/wire"
	"github.com/unicity-astrid/astrid-go/sdk/log"
)

// ToolOption changes a tool's description.
type ToolOption func(*tool)

// Mutable says that the tool changes something outside itself. Without it the tool is
// announced as safe to repeat.
func Mutable() ToolOption { return func(t *tool) { t.mutable = true } }

// tool is one registered tool.
type tool struct {
	name, description string
	mutable           bool
	shape             func() (*schema, error) // derived on first use: a fresh instance starts faster
	schema            *schema
	run               func(ctx *Context, args json.RawMessage) (any, error)
}

var (
	tools       []*tool         // in order of registration
	description string          // of the capsule's tools together
	described   json.RawMessage // the answer of tool_describe, which never changes
)

// Describe sets the text that introduces the capsule's tools as a whole.
func Describe(text string) Registration {
	description, described = text, nil
	return Registration{}
}

// Tool registers a tool under name. The manifest must map the event
// tool.v1.execute.<name> to the action tool_execute_<name>, map
// tool.v1.request.describe to tool_describe (which is answered for all tools
// together), and allow publishing on tool.v1.execute.<name>.result.
//
// A must be a struct; its fields are the arguments. The tag json names a field, desc
// describes it, enum lists its allowed values separated by commas. A pointer or a field
// with omitempty is optional. Unknown arguments are ignored; missing ones, and ones of
// the wrong type, are answered with an error that names the argument, and fn is not
// called.
//
// The result is the JSON encoding of what fn returns, so that text arrives quoted. When
// fn fails the result is marked as an error and holds:
//
//	failed to parse tool arguments: …   the arguments do not fit
//	tool <name> failed unexpectedly: …  fn panicked
//	the text of the error               in all other cases, host refusals included
func Tool[A, R any](name, description string, fn func(ctx *Context, args A) (R, error), options ...ToolOption) Registration {
	t := &tool{name: name, description: description, shape: schemaOf[A]}
	t.run = func(ctx *Context, raw json.RawMessage) (any, error) {
		var args A
		if err := t.decode(raw, &args); err != nil {
			return nil, fmt.Errorf("failed to parse tool arguments: %w", err)
		}
		return fn(ctx, args)
	}
	for _, o := range options {
		o(t)
	}
	if len(tools) == 0 {
		Interceptor("tool_describe", describeTools)
	}
	tools, described = append(tools, t), nil
	return register("tool_execute_"+name, t.execute)
}

// execute handles one request and always publishes a result for it.
func (t *tool) execute(ctx *Context, payload []byte) Verdict {
	var req abi.ToolExecuteRequest
	err := json.Unmarshal(payload, &req)
	if err == nil && req.CallID == "" {
		err = fmt.Errorf("call_id is missing")
	}
	if err != nil { // nobody could be told: the result would answer no call
		return failed(ctx, fmt.Errorf("failed to parse tool execute payload: %w", err))
	}
	ctx.callID = req.CallID
	content, err := t.content(ctx, req.Arguments)
	if err != nil {
		t.publish(abi.ToolCallResult{CallID: req.CallID, Content: err.Error(), IsError: true, Code: codeOf(err)})
		return Continue()
	}
	t.publish(abi.ToolCallResult{CallID: req.CallID, Content: content})
	return Continue()
}

func (t *tool) content(ctx *Context, args json.RawMessage) (content string, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("Tool panicked", "tool", t.name, "panic", r)
			content, err = "", fmt.Errorf("tool %s failed unexpectedly: %v", t.name, r)
		}
	}()
	v, err := t.run(ctx, args)
	if err != nil {
		return "", err
	}
	b, err := wire.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("result of tool %s: %w", t.name, err)
	}
	return link.Text(b), nil
}

// publish sends the result. One that the bus refuses (it may be too large) is replaced
// by an error result, so that the caller does not wait in vain.
func (t *tool) publish(r abi.ToolCallResult) {
	err := t.send(r)
	if err == nil {
		return
	}
	log.Error("Tool result was not published", "tool", t.name, "call_id", r.CallID, "bytes", len(r.Content), "error", err)
	if r.IsError && len(r.Content) < 1<<10 {
		return // it was small already: sending another will not help
	}
	r = abi.ToolCallResult{CallID: r.CallID, IsError: true, Code: codeOf(err), Content: fmt.Sprintf("tool %s: the result could not be delivered: %v", t.name, err)}
	if err := t.send(r); err != nil {
		log.Error("Tool error was not published", "tool", t.name, "call_id", r.CallID, "error", err)
	}
}

func (t *tool) send(r abi.ToolCallResult) error {
	b, err := abi.MarshalPayload(abi.ToolExecuteResult{CallID: r.CallID, Result: r})
	if err != nil {
		return err
	}
	_, err = link.Call(abi.IpcPublish, abi.TopicToolExecutePrefix+t.name+".result", link.Text(b))
	return err
}

// codeOf is the code of the host call that failed, "" if none did.
func codeOf(err error) string {
	var e *abi.Error
	if !errors.As(err, &e) || e.Code == abi.OK {
		return ""
	}
	return e.Code.String()
}

// describeTools answers the hook that collects all capsules' tools.
func describeTools(*Context, []byte) (Verdict, error) {
	if described != nil {
		return Reply(described), nil
	}
	d := abi.ToolsDescription{Tools: make([]abi.ToolDescription, len(tools)), Description: description}
	for i, t := range tools {
		s, err := t.inputSchema()
		if err != nil {
			return Verdict{}, err
		}
		d.Tools[i] = abi.ToolDescription{Name: t.name, Description: t.description, InputSchema: s.document(t.mutable)}
	}
	b, err := wire.Marshal(d)
	if err != nil {
		return Verdict{}, err
	}
	described = b
	return Reply(described), nil
}

func (t *tool) inputSchema() (*schema, error) {
	if t.schema == nil {
		s, err := t.shape()
		if err != nil {
			return nil, fmt.Errorf("tool %s: %w", t.name, err)
		}
		t.schema = s
	}
	return t.schema, nil
}

// check reports all registrations that cannot work.
func check() error {
	for _, err := range mistakes {
		return err
	}
	for _, t := range tools {
		if _, err := t.inputSchema(); err != nil {
			return err
		}
	}
	return nil
}
