package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/distros/astralis/provider"
)

// chunk is one event of a streamed answer.
type chunk struct {
	Choices []struct {
		Delta struct {
			Content          string      `json:"content"`
			Refusal          string      `json:"refusal"`
			Reasoning        string      `json:"reasoning"`         // Ollama, vLLM
			ReasoningContent string      `json:"reasoning_content"` // vLLM, llama.cpp
			ToolCalls        []deltaCall `json:"tool_calls"`
		} `json:"delta"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     uint64 `json:"prompt_tokens"`
		CompletionTokens uint64 `json:"completion_tokens"`
		PromptDetails    struct {
			Cached uint64 `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

type deltaCall struct {
	Index    *int   `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// reasons are the finish reasons of the API.
var reasons = map[string]string{
	"stop": abi.ReasonEndTurn, "length": abi.ReasonMaxTokens, "tool_calls": abi.ReasonToolUse,
	"function_call": abi.ReasonToolUse, "content_filter": abi.ReasonRefusal,
}

// decode ends with nil at [DONE], or at the end of a stream whose last choice had a finish
// reason (some servers omit [DONE]).
func decode(c *provider.Call, events *provider.Events) error {
	events.EachLine = true
	d := &decoder{Call: c, ids: make(map[int]string)}
	for {
		e, err := events.Next()
		switch {
		case err != nil && d.finished && !cancelled(err):
			return nil // a connection that breaks after the end has lost nothing but the usage
		case errors.Is(err, io.EOF):
			return provider.Cut
		case err != nil:
			return err
		case string(e.Data) == "[DONE]":
			return nil
		}
		if err := d.take(e); err != nil {
			return err
		}
	}
}

func cancelled(err error) bool {
	var f *provider.Failure
	return errors.As(err, &f) && f.Kind == abi.LlmCancelled
}

// decoder turns chunks into stream events.
type decoder struct {
	*provider.Call
	ids      map[int]string // id of the newest call by index
	last     int            // index of the newest call
	refused  bool
	finished bool // a finish reason has come
}

func (d *decoder) take(e provider.Event) error {
	var c chunk
	if err := e.Decode(&c); err != nil {
		return err
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return provider.VendorError(0, c.Error)
	}
	if u := c.Usage; u != nil {
		err := d.Usage(abi.Usage{InputTokens: u.PromptTokens, OutputTokens: u.CompletionTokens, CacheReadTokens: u.PromptDetails.Cached})
		if err != nil {
			return err
		}
	}
	if len(c.Choices) == 0 {
		return nil
	}
	choice := &c.Choices[0]
	delta := &choice.Delta
	d.refused = d.refused || delta.Refusal != ""
	err := d.Reasoning(delta.Reasoning + delta.ReasoningContent)
	if err == nil {
		err = d.Text(delta.Content + delta.Refusal)
	}
	for _, call := range delta.ToolCalls {
		if err == nil {
			err = d.call(call)
		}
	}
	if err == nil && choice.FinishReason != "" {
		err = d.finish(choice.FinishReason)
	}
	return err
}

func (d *decoder) finish(reason string) error {
	d.finished = true
	if d.refused {
		d.Stop(abi.ReasonRefusal)
	} else {
		d.Stop(reasons[reason])
	}
	switch {
	case reason == "length" && d.Calls() > 0:
		return provider.Fail(abi.LlmLength, "the answer reached its length limit in the middle of a tool call: raise max_output_tokens")
	case reason == "content_filter" && d.Said() == 0:
		return provider.Fail(abi.LlmRefused, "the server's content filter withheld the answer")
	}
	return nil
}

// call takes a piece of a tool call. Calls are told apart by their index; a server that
// sends none sends whole calls, and one that sends the same for all gives them other ids.
func (d *decoder) call(c deltaCall) error {
	i := d.Calls()
	if c.Index != nil {
		i = *c.Index
	} else if c.Function.Name == "" && i > 0 {
		i = d.last
	}
	id, known := d.ids[i]
	if !known || c.Function.Name != "" && c.ID != "" && c.ID != id {
		if c.Function.Name == "" {
			return provider.Fail(abi.LlmProtocol, "the server sent arguments of tool call %d before its name", i)
		}
		if id = c.ID; id == "" {
			id = fmt.Sprintf("call_%.8s_%d", d.RequestID, i)
		}
		d.ids[i], d.last = id, i
		if err := d.Start(id, c.Function.Name); err != nil {
			return err
		}
	}
	return d.Args(id, c.Function.Arguments)
}
