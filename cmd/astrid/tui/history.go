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

// readHistory reads the file: one prompt a line, as a JSON string. A line that is none is
// taken as it is. A file that is not there is empty.
func readHistory(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("input history: %w", err)
	}
	var out []string
	lines := strings.Split(string(b), "\n")
	for _, line := range lines {
		if line == "" {
			continue
		}
		var s string
		if json.Unmarshal([]byte(line), &s) != nil {
			s = line
		}
		out = append(out, s)
	}
	if len(out) > maxHistory {
		cut := out[len(out)-maxHistory:]
		if len(out) > 2*maxHistory {
			if err := rewriteHistory(path, cut); err != nil {
				return cut, err
			}
		}
		return cut, nil
	}
	return out, nil
}

func rewriteHistory(path string, entries []string) error {
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

func writeEntry(w *bufio.Writer, s string) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(s)
}

// appendHistory adds one prompt to the file, which only its owner may read. One write is
// one line, so that two screens do not mix theirs up.
func appendHistory(path, s string) (err error) {
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
	if err := errors.Join(writeEntry(w, s), w.Flush()); err != nil {
		return err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		return fmt.Errorf("input history: %w", err)
	}
	return nil
}
