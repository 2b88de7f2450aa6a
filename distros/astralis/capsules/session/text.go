package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk"
)

// textOf is what a message says, for people.
func textOf(m abi.ChatMessage) string {
	c := &m.Content
	switch {
	case c.Result != nil:
		return c.Result.Content
	case c.Calls != nil:
		var out []string
		for _, call := range c.Calls {
			out = append(out, call.Name+" "+string(call.Arguments))
		}
		return strings.Join(out, "\n")
	case c.Parts != nil:
		var out []string
		for _, p := range c.Parts {
			if p.Type == "image" {
				out = append(out, "[image]")
			} else {
				out = append(out, p.Text)
			}
		}
		return strings.Join(out, "\n")
	}
	return c.Text
}

// maxScan bounds the bytes that one search reads.
const maxScan = 64 << 20

func handleSearch(_ *sdk.Context, r abi.SessionSearchRequest) error {
	a := abi.SessionSearch{CorrelationID: r.CorrelationID, Hits: []abi.SessionHit{}}
	return answer("search", r.CorrelationID, &a, &a.Error, func() error {
		query := strings.ToLower(strings.TrimSpace(r.Query))
		if query == "" {
			return errors.New("query is empty")
		}
		ms, err := all()
		if err != nil {
			return err
		}
		room, most := maxScan, limit(r.Limit, 20, 200)
		hit := func(m meta, index int, role, text string) bool {
			at := strings.Index(strings.ToLower(text), query)
			if at < 0 {
				return true
			}
			if len(a.Hits) == most {
				a.Truncated = true
				return false
			}
			a.Hits = append(a.Hits, abi.SessionHit{Session: m.SessionInfo, Index: index, Role: role, Excerpt: excerpt(text, at, len(query))})
			return true
		}
		for _, m := range ms {
			if r.SessionID != "" && m.SessionID != r.SessionID {
				continue
			}
			if m.Title != "" && !hit(m, -1, "", m.Title) {
				return nil
			}
			index := 0
			err := each(m.SessionID, func(e entry) (bool, error) {
				for _, c := range e.Messages {
					text := textOf(c)
					room -= len(text)
					if !hit(m, index, c.Role, text) {
						return false, nil
					}
					index++
				}
				return room > 0, nil
			})
			if err != nil {
				return err
			}
			if a.Truncated = a.Truncated || room <= 0; a.Truncated {
				return nil
			}
		}
		return nil
	})
}

// excerpt is the surroundings of a match on one line. Lower case may be longer or shorter
// than the text it was made of, so that at is near the match only.
func excerpt(text string, at, n int) string {
	from, to := max(0, min(at, len(text))-60), min(len(text), at+n+60)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	s := strings.Join(strings.Fields(text[from:max(from, to)]), " ")
	if from > 0 {
		s = "…" + s
	}
	if to < len(text) {
		s += "…"
	}
	return s
}

// maxExport bounds one page of a document in bytes; a message is never cut.
const maxExport = 1 << 20

func handleExport(_ *sdk.Context, r abi.SessionExportRequest) error {
	a := abi.SessionExport{CorrelationID: r.CorrelationID}
	return answer("export", r.CorrelationID, &a, &a.Error, func() error {
		line := markdown
		switch r.Format {
		case "", "markdown":
		case "jsonl":
			line = jsonLine
		default:
			return fmt.Errorf("format %q is neither markdown nor jsonl", r.Format)
		}
		m, err := find(idOr(r.SessionID))
		if err != nil {
			return err
		}
		a.Session = &m.SessionInfo
		var b strings.Builder
		if r.From == 0 && r.Format != "jsonl" {
			fmt.Fprintf(&b, "# %s\n", m.Title)
		}
		n := 0
		err = each(m.SessionID, func(e entry) (bool, error) {
			for _, c := range e.Messages {
				if n >= r.From {
					if b.Len() > maxExport {
						a.Next = n
						return false, nil
					}
					text, err := line(c, e.At)
					if err != nil {
						return false, err
					}
					b.WriteString(text)
				}
				n++
			}
			return true, nil
		})
		a.Content = b.String()
		return err
	})
}

func jsonLine(m abi.ChatMessage, at int64) (string, error) {
	b, err := json.Marshal(struct {
		abi.ChatMessage
		At int64 `json:"at_ms"`
	}{m, at})
	return string(b) + "\n", err
}

func markdown(m abi.ChatMessage, _ int64) (string, error) {
	c := &m.Content
	switch {
	case c.Result != nil:
		what := "Result"
		if c.Result.IsError {
			what = "Error"
		}
		return "\n" + what + ":\n\n" + fenced(c.Result.Content), nil
	case c.Calls != nil:
		var b strings.Builder
		for _, call := range c.Calls {
			fmt.Fprintf(&b, "\nCalls `%s`:\n\n%s", call.Name, fenced(string(call.Arguments)))
		}
		return b.String(), nil
	}
	who := map[string]string{abi.RoleUser: "You", abi.RoleAssistant: "Agent"}[m.Role]
	if who == "" {
		who = m.Role
	}
	return "\n## " + who + "\n\n" + textOf(m) + "\n", nil
}

// fenced puts text into a code block with a fence that the text does not hold.
func fenced(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.TrimSuffix(s, "\n") + "\n" + fence + "\n"
}
