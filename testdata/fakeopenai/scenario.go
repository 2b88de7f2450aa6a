package fakeopenai

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is a tool call of an answer.
type Call struct{ ID, Name, Arguments string }

// Answer is what the model says, and how it gets onto the wire.
type Answer struct {
	Error     *APIError // instead of an answer
	Reasoning string
	Text      string
	Calls     []Call
	Finish    string // default "tool_calls" or "stop"
	Wire      Wire
}

// Wire says in which way the stream is unusual.
type Wire struct {
	LineEnd    string // default "\n"
	Ping       bool   // comments between events
	NoSpace    bool   // after "data:"
	NoDone     bool
	NoUsage    bool
	Broken     bool          // one event is not JSON
	Giant      int           // bytes of one event
	Gap        time.Duration // between events
	Cut        int           // close the connection after so many events; 0 is never
	Fail       *APIError     // an error object in the stream …
	FailAfter  int           // … after so many events
	SplitBytes bool          // writes end in the middle of characters
}

var chosen = regexp.MustCompile(`scenario:([a-z0-9]+(?::[0-9.]+)*)`)

// answer picks the scenario.
func (s *Server) answer(r *Request) Answer {
	prompt := r.Body.lastUser()
	name := r.Body.Model
	if m := chosen.FindStringSubmatch(prompt); m != nil {
		name = m[1]
	}
	parts := strings.Split(name, ":")
	if own := s.o.Scenarios[parts[0]]; own != nil {
		return own(s, r, parts[1:])
	}
	if built := scenarios[parts[0]]; built != nil {
		return built(s, r, parts[1:])
	}
	return s.Speak(r)
}

// Names lists the built-in scenarios.
func Names() []string { return slices.Sorted(maps.Keys(scenarios)) }

// scenarios are the built-in ones.
var scenarios = map[string]Scenario{
	"text":  func(_ *Server, r *Request, _ []string) Answer { return echo(r) },
	"tools": func(s *Server, r *Request, _ []string) Answer { return s.callTools(r) },
	"reasoning": func(s *Server, r *Request, _ []string) Answer {
		a := s.Speak(r)
		a.Reasoning = "Let me think about that … it is about " + strconv.Itoa(len(r.Body.lastUser())) + " bytes long."
		return a
	},
	"crlf":    wired(func(w *Wire) { w.LineEnd = "\r\n" }),
	"ping":    wired(func(w *Wire) { w.Ping = true }),
	"nospace": wired(func(w *Wire) { w.NoSpace = true }),
	"nodone":  wired(func(w *Wire) { w.NoDone = true }),
	"nousage": wired(func(w *Wire) { w.NoUsage = true }),
	"broken":  wired(func(w *Wire) { w.Broken = true }),
	"cut": func(s *Server, r *Request, args []string) Answer {
		a := s.Speak(r)
		a.Wire.Cut = max(number(args, 0, 2), 1)
		return a
	},
	"error": func(s *Server, r *Request, args []string) Answer {
		a := s.Speak(r)
		a.Wire.Fail = &APIError{Message: "The server had an error while processing your request. Sorry about that!", Type: "server_error"}
		a.Wire.FailAfter = number(args, 0, 2)
		return a
	},
	"drip": func(s *Server, r *Request, args []string) Answer {
		a := s.Speak(r)
		a.Wire.Gap = time.Duration(number(args, 0, 20)) * time.Millisecond
		return a
	},
	"giant": func(s *Server, r *Request, args []string) Answer {
		a := s.Speak(r)
		a.Wire.Giant = number(args, 0, 2<<20)
		return a
	},
	"empty": func(*Server, *Request, []string) Answer { return Answer{} },
	"length": func(s *Server, r *Request, _ []string) Answer {
		a := s.Speak(r)
		a.Finish = "length"
		if n := len(a.Calls); n > 0 {
			last := &a.Calls[n-1]
			last.Arguments = last.Arguments[:len(last.Arguments)/2]
		}
		return a
	},
	"401": func(*Server, *Request, []string) Answer { return Answer{Error: unauthorized()} },
	"429": func(s *Server, r *Request, args []string) Answer {
		e := &APIError{Status: http.StatusTooManyRequests, Message: "Rate limit reached for requests", Type: "requests"}
		if len(args) > 1 {
			e.RetryAfter = args[1]
		}
		return s.refuseTimes(r, "429", number(args, 0, 1), e)
	},
	"500": func(s *Server, r *Request, args []string) Answer {
		e := &APIError{Status: http.StatusInternalServerError, Message: "The server had an error while processing your request", Type: "server_error"}
		return s.refuseTimes(r, "500", number(args, 0, 1<<30), e)
	},
}

func wired(change func(*Wire)) Scenario {
	return func(s *Server, r *Request, _ []string) Answer {
		a := s.Speak(r)
		change(&a.Wire)
		return a
	}
}

// refuseTimes refuses n times for each prompt, then answers.
func (s *Server) refuseTimes(r *Request, name string, n int, e *APIError) Answer {
	key := name + "\x00" + r.Body.lastUser()
	if s.count(key, false) < n {
		return Answer{Error: e}
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
func (s *Server) Speak(r *Request) Answer {
	if len(r.Body.wanted()) > 0 {
		return s.callTools(r)
	}
	return echo(r)
}

// Echo is the text of the default answer to a prompt.
func Echo(prompt string) string { return "You said: " + prompt + " — grüße, 你好, 🚀" }

// Quote is the text of the answer that follows tool results.
func Quote(results []string) string {
	return "The tools said:\n" + strings.Join(results, "\n") + "\n✓"
}

func echo(r *Request) Answer {
	return Answer{Text: Echo(r.Body.lastUser()), Wire: Wire{SplitBytes: true}}
}

var callLine = regexp.MustCompile(`^\s*call\s+([a-zA-Z0-9_-]{1,64})\s*(\{.*\})?\s*$`)

// wanted are the rounds of calls that the prompt asks for.
func (c *Chat) wanted() [][]Call {
	var rounds [][]Call
	fresh := true
	for _, line := range strings.Split(c.lastUser(), "\n") {
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

func (s *Server) callTools(r *Request) Answer {
	rounds := r.Body.wanted()
	if len(rounds) == 0 {
		rounds = [][]Call{r.Body.made()}
	}
	done, results := r.Body.sinceUser()
	if done >= len(rounds) || len(rounds[done]) == 0 {
		return Answer{Text: Quote(results), Wire: Wire{SplitBytes: true}}
	}
	a := Answer{Text: "Let me look. ", Calls: rounds[done]}
	for i := range a.Calls {
		a.Calls[i].ID = s.id("call_")
	}
	return a
}

// made are calls of the first two tools, with arguments made up from their schemas.
func (c *Chat) made() []Call {
	var calls []Call
	for _, t := range c.Tools[:min(2, len(c.Tools))] {
		var schema struct {
			Required   []string `json:"required"`
			Properties map[string]struct {
				Type any `json:"type"`
			} `json:"properties"`
		}
		args := map[string]any{}
		if json.Unmarshal(t.Function.Parameters, &schema) == nil {
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
		calls = append(calls, Call{Name: t.Function.Name, Arguments: string(b)})
	}
	return calls
}

// lastUser is what the person said last.
func (c *Chat) lastUser() string {
	for i := len(c.Messages) - 1; i >= 0; i-- {
		if c.Messages[i].Role == "user" {
			return c.Messages[i].Text()
		}
	}
	return ""
}

// sinceUser counts the rounds of calls since the person spoke, and lists their results.
func (c *Chat) sinceUser() (rounds int, results []string) {
	for i := range c.Messages {
		switch m := &c.Messages[i]; {
		case m.Role == "user":
			rounds, results = 0, nil
		case len(m.ToolCalls) > 0:
			rounds++
		case m.Role == "tool":
			results = append(results, m.Text())
		}
	}
	return rounds, results
}
