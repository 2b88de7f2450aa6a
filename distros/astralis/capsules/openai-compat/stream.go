package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/unicity-astrid/astrid-go/abi"
)

// maxLine bounds a line of the stream, in bytes.
const maxLine = 1 << 20

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

// relay reads server-sent events and emits what they say. It ends with nil at [DONE], or
// at the end of a stream whose last choice had a finish reason (some servers omit [DONE]).
// requestID makes the ids of calls that come without one.
func relay(r io.Reader, requestID string, emit func(abi.StreamEvent) error) error {
	d := &decoder{emit: emit, requestID: requestID, ids: make(map[int]string)}
	lines := &lineReader{r: r}
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) || err != nil && d.finished {
			break // a connection that breaks after the end has lost nothing but the usage
		}
		if err != nil {
			return err
		}
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		if !ok {
			continue // a comment that keeps the connection alive, or a field we do not use
		}
		data = bytes.TrimSpace(data)
		if len(data) == 0 {
			continue
		}
		if string(data) == "[DONE]" {
			return d.end()
		}
		if err := d.take(data); err != nil {
			return err
		}
	}
	if !d.finished {
		return errCut
	}
	return d.end()
}

// decoder turns chunks into stream events.
type decoder struct {
	emit      func(abi.StreamEvent) error
	requestID string
	ids       map[int]string // id of the newest call by index
	order     []string       // ids of all calls
	last      int            // index of the newest call
	finished  bool           // a finish reason has come
	ended     bool           // the calls were closed
}

func (d *decoder) send(e abi.StreamEvent) error {
	if err := d.emit(e); err != nil {
		return &publishError{err}
	}
	return nil
}

func (d *decoder) take(data []byte) error {
	var c chunk
	if err := json.Unmarshal(data, &c); err != nil {
		return fmt.Errorf("the server sent an event that cannot be read: %w", err)
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return fmt.Errorf("API error: %s", errorText(c.Error))
	}
	if c.Usage != nil {
		u := abi.Usage{InputTokens: c.Usage.PromptTokens, OutputTokens: c.Usage.CompletionTokens}
		if err := d.send(abi.StreamEvent{Usage: &u}); err != nil {
			return err
		}
	}
	if len(c.Choices) == 0 {
		return nil
	}
	choice := &c.Choices[0]
	delta := &choice.Delta
	if text := delta.Reasoning + delta.ReasoningContent; text != "" {
		if err := d.send(abi.StreamEvent{ReasoningDelta: &text}); err != nil {
			return err
		}
	}
	if text := delta.Content + delta.Refusal; text != "" {
		if err := d.send(abi.StreamEvent{TextDelta: &text}); err != nil {
			return err
		}
	}
	for _, call := range delta.ToolCalls {
		if err := d.call(call); err != nil {
			return err
		}
	}
	if choice.FinishReason != "" {
		d.finished = true
		if choice.FinishReason == "length" && len(d.order) > 0 {
			return errors.New("the answer reached its length limit in the middle of a tool call: raise max_output_tokens")
		}
		return d.end()
	}
	return nil
}

// call takes a piece of a tool call. Calls are told apart by their index; a server that
// sends none sends whole calls, and one that sends the same for all gives them other ids.
func (d *decoder) call(c deltaCall) error {
	i := len(d.order)
	if c.Index != nil {
		i = *c.Index
	} else if c.Function.Name == "" && i > 0 {
		i = d.last
	}
	id, known := d.ids[i]
	if !known || c.Function.Name != "" && c.ID != "" && c.ID != id {
		if c.Function.Name == "" {
			return fmt.Errorf("the server sent arguments of tool call %d before its name", i)
		}
		if id = c.ID; id == "" {
			id = fmt.Sprintf("call_%.8s_%d", d.requestID, i)
		}
		d.ids[i], d.last = id, i
		d.order = append(d.order, id)
		if err := d.send(abi.StreamEvent{ToolCallStart: &abi.ToolCallStart{ID: id, Name: c.Function.Name}}); err != nil {
			return err
		}
	}
	if c.Function.Arguments == "" {
		return nil
	}
	return d.send(abi.StreamEvent{ToolCallDelta: &abi.ToolCallDelta{ID: id, ArgsDelta: c.Function.Arguments}})
}

// end closes the tool calls, once.
func (d *decoder) end() error {
	if d.ended {
		return nil
	}
	d.ended = true
	for _, id := range d.order {
		if err := d.send(abi.StreamEvent{ToolCallEnd: &abi.ToolCallEnd{ID: id}}); err != nil {
			return err
		}
	}
	return nil
}

// lineReader splits a stream into lines without their ends. A character split between
// two reads stays whole, because only whole lines are decoded.
type lineReader struct {
	r   io.Reader
	buf []byte
	err error
}

func (l *lineReader) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf, '\n'); i >= 0 {
			line := bytes.TrimSuffix(l.buf[:i], []byte{'\r'})
			l.buf = l.buf[i+1:]
			return line, nil
		}
		if len(l.buf) > maxLine {
			return nil, fmt.Errorf("a line of the stream is longer than %d bytes", maxLine)
		}
		if l.err != nil {
			if errors.Is(l.err, io.EOF) && len(bytes.TrimSpace(l.buf)) > 0 {
				line := l.buf
				l.buf = nil
				return line, nil
			}
			if !errors.Is(l.err, io.EOF) {
				return nil, fmt.Errorf("the stream broke off: %w", l.err)
			}
			return nil, io.EOF
		}
		chunk := make([]byte, 32<<10)
		n, err := l.r.Read(chunk)
		l.buf = append(l.buf, chunk[:n]...)
		l.err = err
	}
}
