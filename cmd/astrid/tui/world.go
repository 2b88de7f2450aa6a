package tui

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// What comes of the commands that read the world outside.
type (
	filesMsg  fileList
	branchMsg string
	customMsg struct {
		commands []Custom
		err      error
	}
	// editedMsg is what the person left in the editor.
	editedMsg struct {
		text string
		err  error
	}
)

// wantFiles reads the list of files. What was read before is shown until then.
func (m *Model) wantFiles() {
	if m.ListFiles == nil || m.listing {
		return
	}
	m.listing = true
	m.do(func() tea.Msg { return filesMsg(m.ListFiles()) })
}

func (m *Model) wantBranch() {
	if m.Branch != nil {
		m.do(func() tea.Msg { return branchMsg(m.Branch()) })
	}
}

// editOutside is Ctrl+G: the prompt is written in the person's own editor.
func (m *Model) editOutside() tea.Cmd {
	if m.Edit == nil {
		m.say("there is no editor: set VISUAL or EDITOR", hintShort)
		return nil
	}
	return m.Edit(m.input.whole())
}

func (m *Model) edited(msg editedMsg) {
	if msg.err != nil {
		m.problem("the editor: " + printable(msg.err.Error()))
		return
	}
	text := strings.TrimRight(strings.ReplaceAll(msg.text, "\r\n", "\n"), "\n")
	m.input.clear()
	m.input.paste(text)
	m.picker.update(m)
}

// externalEditor makes the command for the editor that the environment names; nil if none.
func externalEditor(getenv func(string) (string, bool)) func(text string) tea.Cmd {
	var words []string
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if v, _ := getenv(name); strings.TrimSpace(v) != "" && words == nil {
			words = strings.Fields(v)
		}
	}
	if words == nil {
		return nil
	}
	return func(text string) tea.Cmd {
		dir, err := os.MkdirTemp("", "astrid-prompt-") // mode 0700
		if err != nil {
			return func() tea.Msg { return editedMsg{err: err} }
		}
		path := filepath.Join(dir, "prompt.md")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return func() tea.Msg { return editedMsg{err: errors.Join(err, os.RemoveAll(dir))} }
		}
		cmd := exec.Command(words[0], append(words[1:], path)...)
		return tea.ExecProcess(cmd, func(err error) tea.Msg {
			msg := editedMsg{err: err}
			if err == nil {
				var b []byte
				b, msg.err = readLimited(path, maxPasted)
				msg.text = string(b)
			}
			if rerr := os.RemoveAll(dir); msg.err == nil {
				msg.err = rerr
			}
			return msg
		})
	}
}

// readLimited reads a regular file of at most max bytes.
func readLimited(path string, max int64) ([]byte, error) {
	fi, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !fi.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid}
	case fi.Size() > max:
		return nil, fmt.Errorf("%s is larger than %s", path, byteCount(max))
	}
	return os.ReadFile(path)
}
