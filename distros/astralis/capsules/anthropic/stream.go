package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
)

// event is one event of a streamed answer. Source: Anthropic API, "Streaming messages".
type event struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Usage *usage `json:"usage"`
	} `json:"message"` // message_start
	Block block `json:"content_block"` // content_block_start
	Delta struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		Thinking    string `json:"thinking"`
		Signature   string `json:"signature"`
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"` // message_delta
		StopDetails struct {
			Explanation string `json:"explanation"`
		} `json:"stop_details"`
	} `json:"delta"`
	Usage *usage          `json:"usage"` // message_delta
	Error json.RawMessage `json:"error"`
}

// usage counts Input without what the cache has to do with.
type usage struct {
	Input  *uint64 `json:"input_tokens"`
	Write  *uint64 `json:"cache_creation_input_tokens"`
	Read   *uint64 `json:"cache_read_input_tokens"`
	Output *uint64 `json:"output_tokens"`
}

// reasons are the stop reasons of the API; a refusal is an error.
var reasons = map[string]string{
	"end_turn": abi.ReasonEndTurn, "pause_turn": abi.ReasonEndTurn, "tool_use": abi.ReasonToolUse, "stop_sequence": abi.ReasonStopSequence,
	"max_tokens": abi.ReasonMaxTokens, "model_context_window_exceeded": abi.ReasonMaxTokens,
}

// decoder turns the vendor's events into those of the stream.
type decoder struct {
	*provider.Call
	open  map[int]*block // by index
	args  map[int]string // of those that are calls
	usage abi.Usage
	known bool // some usage was reported
	over  bool // a stop reason has come
}

// decode ends with nil at message_stop, or at the end of a stream with a stop reason.
func decode(c *provider.Call, events *provider.Events) error {
	d := &decoder{Call: c, open: map[int]*block{}, args: map[int]string{}}
	for {
		raw, err := events.Next()
		if errors.Is(err, io.EOF) && d.over {
			return d.end()
		}
		if errors.Is(err, io.EOF) {
			return provider.Cut
		}
		if err != nil {
			return err
		}
		var e event
		if err := raw.Decode(&e); err != nil {
			return err
		}
		if e.Type == "message_stop" {
			return d.end()
		}
		if err := d.take(&e); err != nil {
			return err
		}
	}
}

func (d *decoder) end() error {
	d.SaveRound()
	return nil
}

// take ignores what it does not know, ping among it: new events and blocks may come.
func (d *decoder) take(e *event) error {
	switch e.Type {
	case "message_start":
		d.count(e.Message.Usage)
	case "content_block_start":
		return d.start(e.Index, e.Block)
	case "content_block_delta":
		return d.delta(e)
	case "content_block_stop":
		return d.stop(e.Index)
	case "message_delta":
		return d.finish(e)
	case "error":
		return provider.VendorError(0, e.Error)
	}
	return nil
}

// count notes what is reported; later reports leave out what has not changed.
func (d *decoder) count(u *usage) {
	if u == nil {
		return
	}
	d.known = true
	fresh := d.usage.InputTokens - d.usage.CacheReadTokens - d.usage.CacheWriteTokens
	for to, n := range map[*uint64]*uint64{
		&fresh: u.Input, &d.usage.CacheReadTokens: u.Read, &d.usage.CacheWriteTokens: u.Write, &d.usage.OutputTokens: u.Output,
	} {
		if n != nil {
			*to = *n
		}
	}
	d.usage.InputTokens = fresh + d.usage.CacheReadTokens + d.usage.CacheWriteTokens
	d.Count(d.usage)
}

func (d *decoder) start(i int, b block) error {
	d.open[i] = &b
	switch {
	case b.Type == "tool_use":
		if s := string(b.Input); s != "{}" && s != "null" {
			d.args[i] = s // all at once
		}
		if err := d.Start(b.ID, b.Name); err != nil {
			return err
		}
		return d.Args(b.ID, d.args[i])
	case b.Type == "text" && b.Text != nil:
		return d.Text(*b.Text)
	case b.Type == "thinking" && b.Thinking != nil:
		return d.Reasoning(*b.Thinking)
	}
	return nil
}

func (d *decoder) delta(e *event) error {
	b := d.open[e.Index]
	if b == nil {
		return provider.Fail(abi.LlmProtocol, "the server sent a piece of block %d, which has not begun", e.Index)
	}
	switch t := &e.Delta; t.Type {
	case "text_delta":
		b.Text = join(b.Text, t.Text)
		return d.Text(t.Text)
	case "thinking_delta":
		b.Thinking = join(b.Thinking, t.Thinking)
		return d.Reasoning(t.Thinking)
	case "signature_delta":
		b.Signature += t.Signature
	case "input_json_delta":
		d.args[e.Index] += t.PartialJSON
		return d.Args(b.ID, t.PartialJSON)
	}
	return nil
}

func join(a *string, b string) *string {
	if a != nil {
		b = *a + b
	}
	return &b
}

// stop closes a block, and keeps it for the next request.
func (d *decoder) stop(i int) error {
	b := d.open[i]
	if b == nil {
		return nil
	}
	delete(d.open, i)
	switch b.Type {
	case "text":
		if b.Text == nil || *b.Text == "" {
			return nil
		}
	case "tool_use":
		if d.args[i] == "" {
			if err := d.Args(b.ID, "{}"); err != nil {
				return err
			}
		}
		b.Input = provider.ArgumentObject(json.RawMessage(d.args[i]))
		if json.Valid([]byte(d.args[i])) || d.args[i] == "" { // else the answer is being cut
			if err := d.End(b.ID); err != nil {
				return err
			}
		}
	case "thinking", "redacted_thinking":
	default:
		return nil
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	d.Kept.Keep(raw, b.Type == "thinking" || b.Type == "redacted_thinking")
	return nil
}

// finish takes the reason and the figures of the whole answer.
func (d *decoder) finish(e *event) error {
	d.count(e.Usage)
	if e.Delta.StopReason != "" {
		d.over = true
		d.Stop(reasons[e.Delta.StopReason])
	}
	if d.known {
		if err := d.Usage(d.usage); err != nil {
			return err
		}
	}
	switch {
	case e.Delta.StopReason == "refusal":
		why := e.Delta.StopDetails.Explanation
		if why == "" {
			why = "it gave no reason"
		}
		return provider.Fail(abi.LlmRefused, "the model declined to answer: %s", why)
	case d.Open() && reasons[e.Delta.StopReason] == abi.ReasonMaxTokens:
		return provider.Fail(abi.LlmLength, "the answer reached its length limit in the middle of a tool call: raise max_output_tokens")
	}
	return nil
}
