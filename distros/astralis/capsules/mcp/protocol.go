package main

import (
	"encoding/json"
	"fmt"
	"strings"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/time"
)

// version is the protocol's that is asked for. Source: Model Context Protocol, "Lifecycle".
const version = "2025-06-18"

// Bounds of what a server may say.
const (
	maxLine  = 4 << 20 // bytes of one message
	maxPages = 20
	maxTools = 200
)

// conn is a conversation with a server: JSON-RPC, one message a line. Source: Model Context Protocol, "Transports".
type conn struct {
	running
	key, name string
	ctx       *sdk.Context
}

// message is one of JSON-RPC 2.0.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// methodNotFound is the code of JSON-RPC for a request that is not understood.
const methodNotFound = -32601

func line(m message) (string, error) {
	m.Version = "2.0"
	b, err := json.Marshal(m)
	return string(b) + "\n", err
}

// begin introduces both sides.
func (c *conn) begin() error {
	_, err := c.request("initialize", map[string]any{
		"protocolVersion": version, "capabilities": struct{}{}, "clientInfo": map[string]string{"name": "astrid", "version": "0.1.0"},
	}, listTimeout)
	if err != nil {
		return err
	}
	text, err := line(message{Method: "notifications/initialized"})
	if err != nil {
		return err
	}
	l, err := c.process().Say(text, 0)
	if err != nil {
		return fmt.Errorf("MCP server %s: %w", c.name, err)
	}
	c.Rest += l.Stdout
	c.Ready = true
	return c.keep()
}

// request sends a request and waits for its answer. What is kept of the connection holds afterwards, also after a failure.
func (c *conn) request(method string, params any, timeout stdtime.Duration) (json.RawMessage, error) {
	c.Next++
	id := fmt.Sprint(c.Next)
	say, err := line(message{ID: json.RawMessage(id), Method: method, Params: params})
	if err != nil {
		return nil, err
	}
	answer, err := c.await(say, id, timeout)
	if kerr := c.keep(); err == nil {
		err = kerr
	}
	if err != nil {
		return nil, fmt.Errorf("MCP server %s: %w", c.name, err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("MCP server %s: %s (code %d)", c.name, clip(answer.Error.Message), answer.Error.Code)
	}
	return answer.Result, nil
}

// await reads until the answer has come. What the server asks meanwhile is answered.
func (c *conn) await(say, id string, timeout stdtime.Duration) (*message, error) {
	for deadline := time.Now().Add(timeout); ; {
		left := deadline.Sub(time.Now())
		if left <= 0 {
			return nil, fmt.Errorf("it has not answered within %s", timeout)
		}
		l, err := c.process().Say(say, min(left, abi.MaxRecv))
		if err != nil {
			return nil, err
		}
		say = ""
		if c.Rest += l.Stdout; l.StdoutDropped > 0 || len(c.Rest) > maxLine {
			c.end()
			return nil, fmt.Errorf("it said more at once than can be read, and was ended")
		}
		var found *message
		for found == nil {
			text, rest, ok := strings.Cut(c.Rest, "\n")
			if !ok {
				break
			}
			c.Rest = rest
			var m message
			if json.Unmarshal([]byte(text), &m) != nil {
				continue // some write other things there, too
			}
			switch {
			case m.Method == "" && string(m.ID) == id:
				found = &m
			case m.Method != "" && len(m.ID) > 0:
				reply, err := line(answerTo(m))
				if err != nil {
					return nil, err
				}
				say += reply
			}
		}
		if found != nil {
			if say != "" {
				if l, err = c.process().Say(say, 0); err == nil {
					c.Rest += l.Stdout
				}
			}
			return found, nil
		}
		if !l.Running {
			c.end()
			return nil, fmt.Errorf("it has ended: %s", lastWords(l))
		}
	}
}

// answerTo answers a request of the server: it offers tools to us, and we nothing to it.
func answerTo(m message) message {
	if m.Method == "ping" {
		return message{ID: m.ID, Result: json.RawMessage("{}")}
	}
	return message{ID: m.ID, Error: &failure{methodNotFound, "this client has no " + m.Method}}
}

// lastWords is the end of what a server wrote to its standard error.
func lastWords(l abi.ProcessLogs) string {
	s := strings.TrimSpace(l.Stderr)
	if len(s) > 2000 {
		s = "…" + strings.ToValidUTF8(s[len(s)-2000:], "")
	}
	if s == "" && l.ExitCode != nil {
		s = fmt.Sprintf("status %d", *l.ExitCode)
	}
	return s
}

// tool is one of a server's.
type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema,omitempty"`
}

// tools lists what the server has.
func (c *conn) tools() ([]tool, error) {
	var out []tool
	cursor := ""
	for range maxPages {
		params := map[string]string{}
		if cursor != "" {
			params["cursor"] = cursor
		}
		raw, err := c.request("tools/list", params, listTimeout)
		if err != nil {
			return nil, err
		}
		var page struct {
			Tools []struct {
				tool
				Schema json.RawMessage `json:"inputSchema"`
			} `json:"tools"`
			Next string `json:"nextCursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, fmt.Errorf("MCP server %s: its list of tools cannot be read: %w", c.name, err)
		}
		for _, t := range page.Tools {
			t.InputSchema = t.Schema
			if out = append(out, t.tool); len(out) == maxTools {
				return out, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	return out, nil
}

// call calls a tool and puts its result into words.
func (c *conn) call(name string, args map[string]json.RawMessage) (string, error) {
	if args == nil {
		args = map[string]json.RawMessage{}
	}
	raw, err := c.request("tools/call", map[string]any{"name": name, "arguments": args}, callTimeout)
	if err != nil {
		return "", err
	}
	var r struct {
		Content []struct {
			Type     string `json:"type"`
			Text     string `json:"text"`
			MimeType string `json:"mimeType"`
			URI      string `json:"uri"`
			Data     string `json:"data"`
			Resource struct {
				URI  string `json:"uri"`
				Text string `json:"text"`
			} `json:"resource"`
		} `json:"content"`
		Structured json.RawMessage `json:"structuredContent"`
		IsError    bool            `json:"isError"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return "", fmt.Errorf("MCP server %s: the result of %s cannot be read: %w", c.name, name, err)
	}
	var parts []string
	for _, p := range r.Content {
		switch p.Type {
		case "text":
			parts = append(parts, p.Text)
		case "resource":
			parts = append(parts, p.Resource.URI+":\n"+p.Resource.Text)
		case "resource_link":
			parts = append(parts, p.URI)
		default:
			parts = append(parts, fmt.Sprintf("[%s, %s, %d bytes: it cannot be shown here]", p.Type, p.MimeType, len(p.Data)*3/4))
		}
	}
	if len(parts) == 0 && len(r.Structured) > 0 {
		parts = append(parts, string(r.Structured))
	}
	text := clip(strings.Join(parts, "\n"))
	if r.IsError {
		return "", fmt.Errorf("%s", text)
	}
	return text, nil
}
