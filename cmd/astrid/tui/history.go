package tui

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// maxHistory is how many prompts are remembered. The file may grow to twice as many lines
// before it is cut.
const maxHistory = 1000

// maxHistoryEntry is the longest prompt that is remembered, in bytes.
const maxHistoryEntry = 64 << 10

// lineHistory is what the person typed before, and where in it the arrow keys are.
type lineHistory struct {
	entries []string
	at      int    // len(entries) is the line being typed
	draft   string // that line, while the arrow keys are elsewhere
}

func (h *lineHistory) load(entries []string) {
	h.entries = append(append([]string{}, entries...), h.entries...)
	h.at = len(h.entries)
}

// push remembers a prompt and returns whether it is new.
func (h *lineHistory) push(s string) bool {
	fresh := len(s) <= maxHistoryEntry && (len(h.entries) == 0 || h.entries[len(h.entries)-1] != s)
	if fresh {
		h.entries = append(h.entries, s)
	}
	h.at, h.draft = len(h.entries), ""
	return fresh
}

// up returns the prompt before; ok is false at the oldest.
func (h *lineHistory) up(current string) (string, bool) {
	if h.at == 0 {
		return "", false
	}
	if h.at == len(h.entries) {
		h.draft = current
	}
	h.at--
	return h.entries[h.at], true
}

func (h *lineHistory) down() (string, bool) {
	switch {
	case h.at >= len(h.entries):
		return "", false
	case h.at == len(h.entries)-1:
		h.at++
		return h.draft, true
	}
	h.at++
	return h.entries[h.at], true
}

// search lists the prompts with a text in them, the newest first, each once.
func (h *lineHistory) search(text string) []entry {
	low := strings.ToLower(strings.TrimSpace(text))
	seen := make(map[string]bool)
	var out []entry
	for i := len(h.entries) - 1; i >= 0 && len(out) < maxMatches; i-- {
		e := h.entries[i]
		if !seen[e] && strings.Contains(strings.ToLower(e), low) {
			seen[e] = true
			out = append(out, entry{name: e, usage: e})
		}
	}
	return out
}

// record is a line of the history file.
type record struct {
	Text string `json:"text"`
	Dir  string `json:"dir"` // where it was typed
}

// parseRecord reads a line. One that is a JSON string or plain text was typed anywhere.
func parseRecord(line string) record {
	var r record
	if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &r) == nil && r.Text != "" {
		return r
	}
	r = record{}
	if json.Unmarshal([]byte(line), &r.Text) != nil {
		r.Text = line
	}
	return r
}

// readHistory reads the prompts that were typed in a directory, and those of which nobody
// knows where. A file that is not there is empty.
func readHistory(path, dir string) ([]string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("input history: %w", err)
	}
	var all []record
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			all = append(all, parseRecord(line))
		}
	}
	var problem error
	if len(all) > 2*maxHistory {
		problem = rewriteHistory(path, all[len(all)-maxHistory:])
	}
	var out []string
	for _, r := range all[max(0, len(all)-maxHistory):] {
		if r.Dir == "" || r.Dir == dir {
			out = append(out, r.Text)
		}
	}
	return out, problem
}

func rewriteHistory(path string, entries []record) error {
	var b strings.Builder
	w := bufio.NewWriter(&b)
	for _, e := range entries {
		if err := writeEntry(w, e); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return home.WriteFileAtomic(path, []byte(b.String()), 0o600)
}

func writeEntry(w *bufio.Writer, r record) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// appendHistory adds one prompt to the file, which only its owner may read. One write is
// one line, so that two screens do not mix theirs up.
func appendHistory(path, dir, s string) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("input history: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(0o600); err != nil {
		return fmt.Errorf("input history: %w", err)
	}
	var b strings.Builder
	w := bufio.NewWriter(&b)
	if err := errors.Join(writeEntry(w, record{s, dir}), w.Flush()); err != nil {
		return err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		return fmt.Errorf("input history: %w", err)
	}
	return nil
}
