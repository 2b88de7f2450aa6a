package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
)

// event is one event of a streamed answer. Source: OpenAI API reference, "Streaming events".
type event struct {
	Type      string          `json:"type"`
	ItemID    string          `json:"item_id"`
	Index     int             `json:"output_index"`
	Delta     string          `json:"delta"`
	Arguments string          `json:"arguments"`
	Item      json.RawMessage `json:"item"`
	Response  struct {
		Error      json.RawMessage `json:"error"`
		Incomplete struct {
			Reason string `json:"reason"`
		} `json:"incomplete_details"`
		Usage *struct {
			Input   uint64 `json:"input_tokens"`
			Details struct {
				Cached uint64 `json:"cached_tokens"`
				Write  uint64 `json:"cache_write_tokens"`
			} `json:"input_tokens_details"`
			Output uint64 `json:"output_tokens"`
		} `json:"usage"`
	} `json:"response"`
	Error json.RawMessage `json:"error"`
}

// item is a piece of the answer.
type item struct {
	Type      string `json:"type"`
	ID        string `json:"id"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
	Status    string `json:"status"`
	Encrypted string `json:"encrypted_content"`
	Content   []struct {
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	} `json:"content"`
}

// decoder turns the vendor's events into those of the stream.
type decoder struct {
	*provider.Call
	calls   map[int]*running // by index of the item
	refused bool
}

// running is a call: events name its item, the stream its call id.
type running struct {
	id   string
	args int // bytes that have come
}

// decode ends at the event that says how the response ended.
func decode(c *provider.Call, events *provider.Events) error {
	d := &decoder{Call: c, calls: map[int]*running{}}
	for {
		raw, err := events.Next()
		if errors.Is(err, io.EOF) {
			return provider.Cut
		}
		if err != nil {
			return err
		}
		if string(raw.Data) == "[DONE]" { // some servers add the mark of the other API
			continue
		}
		var e event
		if err := raw.Decode(&e); err != nil {
			return err
		}
		over, err := d.take(&e, raw.Data)
		if over || err != nil {
			return err
		}
	}
}

// take ignores what it does not know: new events may come.
func (d *decoder) take(e *event, raw []byte) (over bool, err error) {
	switch e.Type {
	case "response.output_text.delta":
		return false, d.Text(e.Delta)
	case "response.refusal.delta":
		d.refused = true
		return false, d.Text(e.Delta)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		return false, d.Reasoning(e.Delta)
	case "response.reasoning_summary_part.added":
		if d.Said() > 0 {
			return false, d.Reasoning("\n\n")
		}
	case "response.output_item.added":
		_, err = d.begin(e)
	case "response.function_call_arguments.delta":
		err = d.args(e, e.Delta)
	case "response.function_call_arguments.done":
		if c := d.calls[e.Index]; c != nil && c.args == 0 {
			err = d.args(e, e.Arguments)
		}
	case "response.output_item.done":
		err = d.itemDone(e)
	case "response.completed", "response.incomplete":
		return true, d.finish(e)
	case "response.failed":
		return true, provider.VendorError(0, e.Response.Error)
	case "error":
		if len(e.Error) == 0 {
			e.Error = raw // the fields of the error are the event's own
		}
		return true, provider.VendorError(0, e.Error)
	}
	return false, err
}

// begin opens an item, unless it is known.
func (d *decoder) begin(e *event) (item, error) {
	var i item
	if err := json.Unmarshal(e.Item, &i); err != nil {
		return i, provider.Unreadable(err)
	}
	if i.Type != "function_call" || d.calls[e.Index] != nil {
		return i, nil
	}
	if i.CallID == "" {
		i.CallID = i.ID
	}
	d.calls[e.Index] = &running{id: i.CallID}
	return i, d.Start(i.CallID, i.Name)
}

func (d *decoder) args(e *event, text string) error {
	c := d.calls[e.Index]
	if c == nil {
		return provider.Fail(abi.LlmProtocol, "the server sent arguments of item %q, which is no call that has begun", e.ItemID)
	}
	c.args += len(text)
	return d.Args(c.id, text)
}

// itemDone closes an item, and keeps it for the next request.
func (d *decoder) itemDone(e *event) error {
	i, err := d.begin(e)
	if err != nil {
		return err
	}
	switch c := d.calls[e.Index]; {
	case i.Type == "function_call" && c != nil:
		if c.args == 0 {
			if err := d.args(e, i.Arguments); err != nil {
				return err
			}
		}
		if i.Status == "incomplete" {
			return nil
		}
		if err := d.End(c.id); err != nil {
			return err
		}
	case i.Type != "message" && i.Type != "reasoning":
		return nil
	}
	d.Kept.Keep(e.Item, i.Encrypted != "")
	return nil
}

// finish takes the figures of the whole answer, and why it ended.
func (d *decoder) finish(e *event) error {
	reason := e.Response.Incomplete.Reason
	switch {
	case d.refused:
		d.Stop(abi.ReasonRefusal)
	case reason == "max_output_tokens":
		d.Stop(abi.ReasonMaxTokens)
	case d.Calls() > 0:
		d.Stop(abi.ReasonToolUse)
	default:
		d.Stop(abi.ReasonEndTurn)
	}
	if u := e.Response.Usage; u != nil {
		err := d.Usage(abi.Usage{InputTokens: u.Input, OutputTokens: u.Output, CacheReadTokens: u.Details.Cached, CacheWriteTokens: u.Details.Write})
		if err != nil {
			return err
		}
	}
	switch {
	case reason == "content_filter":
		return provider.Fail(abi.LlmRefused, "the vendor's content filter ended the answer")
	case reason == "max_output_tokens" && d.Open():
		return provider.Fail(abi.LlmLength, "the answer reached its length limit in the middle of a tool call: raise max_output_tokens")
	}
	d.SaveRound()
	return nil
}
