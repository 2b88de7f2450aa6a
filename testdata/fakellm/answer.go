package fakellm

import (
	"slices"
	"time"
)

// Call is a tool call of an answer.
type Call struct{ ID, Name, Arguments string }

// Answer is what the model says, and how it gets onto the wire.
type Answer struct {
	Error     *APIError // instead of an answer
	Reasoning string
	Redacted  bool // the reasoning is hidden
	Text      string
	Refusal   string // instead of the text
	Calls     []Call
	Length    bool // it was cut at the length limit
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

// APIError is an error in the shape that OpenAI gives it; other vendors use parts of it.
type APIError struct {
	Status     int    `json:"-"`
	RetryAfter string `json:"-"` // header, if any

	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// Echo is the text of the default answer to a prompt.
func Echo(prompt string) string { return "You said: " + prompt + " — grüße, 你好, 🚀" }

// Quote is the text of the answer that follows tool results.
func Quote(results []string) string {
	out := "The tools said:\n"
	for _, r := range results {
		out += r + "\n"
	}
	return out + "✓"
}

// Pieces cuts text after every n characters.
func Pieces(text string, n int) []string {
	var out []string
	for p := range slices.Chunk([]rune(text), n) {
		out = append(out, string(p))
	}
	return out
}
