package fakellm

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var chosen = regexp.MustCompile(`scenario:([a-z0-9]+(?::[0-9.]+)*)`)

// answer picks the scenario.
func (s *Server[B]) answer(r *Request[B]) Answer {
	c := s.vendor.Conversation(&r.Body)
	name := c.Model
	if m := chosen.FindStringSubmatch(c.Prompt); m != nil {
		name = m[1]
	}
	parts := strings.Split(name, ":")
	if own := s.Scenarios[parts[0]]; own != nil {
		return own(s, r, parts[1:])
	}
	return s.builtIn(r, c, parts[0], parts[1:])
}

// Names lists the built-in scenarios.
func Names() []string {
	return strings.Fields(`text tools reasoning redacted refusal crlf ping nospace nodone nousage cut broken error
		overloaded drip giant empty length 401 402 404 413 429 500 529`)
}

func (s *Server[B]) builtIn(r *Request[B], c Conversation, name string, args []string) Answer {
	switch name {
	case "401", "402", "404", "413":
		return Answer{Error: s.fail(name, "")}
	case "429":
		return s.refuseTimes(r, c, name, number(args, 0, 1), args)
	case "500":
		return s.refuseTimes(r, c, name, number(args, 0, 1<<30), args)
	case "529":
		return s.refuseTimes(r, c, name, number(args, 0, 1), args)
	case "empty":
		return Answer{}
	case "refusal":
		return Answer{Refusal: "I can't help with that."}
	case "tools":
		return s.callTools(c)
	}
	a := s.Speak(r)
	w := &a.Wire
	switch name {
	case "reasoning", "redacted":
		a.Reasoning = "Let me think about that … it is about " + strconv.Itoa(len(c.Prompt)) + " bytes long."
		a.Redacted = name == "redacted"
	case "crlf":
		w.LineEnd = "\r\n"
	case "ping":
		w.Ping = true
	case "nospace":
		w.NoSpace = true
	case "nodone":
		w.NoDone = true
	case "nousage":
		w.NoUsage = true
	case "broken":
		w.Broken = true
	case "cut":
		w.Cut = max(number(args, 0, 2), 1)
	case "error":
		w.Fail, w.FailAfter = s.fail("500", ""), number(args, 0, 2)
		w.Fail.Message += ". Sorry about that!"
	case "overloaded":
		key := name + "\x00" + c.Prompt
		if s.count(key, false) < number(args, 0, 1) {
			w.Fail = s.fail("529", "")
		} else {
			s.count(key, true)
		}
	case "drip":
		w.Gap = time.Duration(number(args, 0, 20)) * time.Millisecond
	case "giant":
		w.Giant = number(args, 0, 2<<20)
	case "length":
		a.Length = true
		if n := len(a.Calls); n > 0 {
			last := &a.Calls[n-1]
			last.Arguments = last.Arguments[:len(last.Arguments)/2]
		}
	}
	return a
}

// fail is the vendor's error of a scenario.
func (s *Server[B]) fail(name, retryAfter string) *APIError {
	e, ok := s.vendor.Errors[name]
	if !ok {
		e = APIError{Status: 500, Message: "this vendor has no error " + name, Type: "server_error"}
	}
	e.RetryAfter = retryAfter
	return &e
}

// refuseTimes refuses n times for each prompt, then answers.
func (s *Server[B]) refuseTimes(r *Request[B], c Conversation, name string, n int, args []string) Answer {
	key := name + "\x00" + c.Prompt
	if s.count(key, false) < n {
		after := ""
		if len(args) > 1 {
			after = args[1]
		}
		return Answer{Error: s.fail(name, after)}
	}
	s.count(key, true)
	return s.Speak(r)
}

func number(args []string, i, fallback int) int {
	if i < len(args) {
		if n, err := strconv.Atoi(args[i]); err == nil {
			return n
		}
	}
	return fallback
}

// Speak answers as the default scenario does: with the calls that the prompt asks for,
// then with their results; else with an echo.
func (s *Server[B]) Speak(r *Request[B]) Answer {
	c := s.vendor.Conversation(&r.Body)
	if len(c.wanted()) > 0 {
		return s.callTools(c)
	}
	return Answer{Text: Echo(c.Prompt), Wire: Wire{SplitBytes: true}}
}

var callLine = regexp.MustCompile(`^\s*call\s+([a-zA-Z0-9_-]{1,64})\s*(\{.*\})?\s*$`)

// wanted are the rounds of calls that the prompt asks for.
func (c *Conversation) wanted() [][]Call {
	var rounds [][]Call
	fresh := true
	for _, line := range strings.Split(c.Prompt, "\n") {
		m := callLine.FindStringSubmatch(line)
		switch {
		case m == nil:
			fresh = fresh || strings.TrimSpace(line) == "then"
			continue
		case fresh:
			rounds, fresh = append(rounds, nil), false
		}
		args := m[2]
		if args == "" {
			args = "{}"
		}
		last := len(rounds) - 1
		rounds[last] = append(rounds[last], Call{Name: m[1], Arguments: args})
	}
	return rounds
}

func (s *Server[B]) callTools(c Conversation) Answer {
	rounds := c.wanted()
	if len(rounds) == 0 {
		rounds = [][]Call{c.made()}
	}
	if c.Rounds >= len(rounds) || len(rounds[c.Rounds]) == 0 {
		return Answer{Text: Quote(c.Said), Wire: Wire{SplitBytes: true}}
	}
	a := Answer{Text: "Let me look. ", Calls: rounds[c.Rounds]}
	for i := range a.Calls {
		a.Calls[i].ID = s.ID("call_")
	}
	return a
}

// made are calls of the first two tools, with arguments made up from their schemas.
func (c *Conversation) made() []Call {
	var calls []Call
	for _, t := range c.Tools[:min(2, len(c.Tools))] {
		var schema struct {
			Required   []string `json:"required"`
			Properties map[string]struct {
				Type any `json:"type"`
			} `json:"properties"`
		}
		args := map[string]any{}
		if json.Unmarshal(t.Schema, &schema) == nil {
			for _, name := range schema.Required {
				switch fmt.Sprint(schema.Properties[name].Type) {
				case "integer", "number":
					args[name] = 1
				case "boolean":
					args[name] = true
				default:
					args[name] = "."
				}
			}
		}
		b, err := json.Marshal(args)
		if err != nil {
			continue // these values always encode
		}
		calls = append(calls, Call{Name: t.Name, Arguments: string(b)})
	}
	return calls
}
