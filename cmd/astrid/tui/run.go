package tui

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

// Options says what to show and where.
type Options struct {
	Home      home.Home
	Version   string
	Workspace string // absolute
	Directory string // where the person is, in the workspace
	Session   string // id
	Name      string // what the person calls it; may be ""
	Mode      string // own mode of this session and of new ones; "" leaves them as they are
	Model     string // that answers; "" is the active one
	Input     io.Reader
	Output    io.Writer
	Getenv    func(string) (string, bool)
	Theme     string // see [ThemeNames]; "" is auto
	ASCII     bool   // also where the terminal could show more
	Quiet     bool   // no bell and no desktop messages
	Inline    bool   // stay in the terminal's scrollback
	Notice    string // said at the beginning; may be ""
	// Astrid runs another command of this program, with nobody to ask.
	Astrid func(ctx context.Context, args ...string) (stdout, stderr string, code int)
}

// Run shows a session until the person leaves or ctx ends, and returns the id of the session that was
// shown last. Whatever happens, the terminal is as it was before.
func Run(ctx context.Context, o Options) (session string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	l := newLink(client.StartOptions{Home: o.Home, Version: o.Version, Workspace: o.Workspace}, o.Session)
	l.astrid, l.mode, l.fresh, l.directory = o.Astrid, o.Mode, o.Mode, o.Directory
	file := o.Home.HistoryFile()
	m := NewModel(Config{
		Port: l, Now: time.Now, NewID: uuid.NewString, Session: o.Session, Name: o.Name, Model: o.Model, Workspace: o.Workspace,
		ASCII:       o.ASCII || !utf8Locale(o.Getenv),
		LoadHistory: func() ([]string, error) { return readHistory(file, o.Workspace) },
		SaveHistory: func(s string) error { return appendHistory(file, o.Workspace, s) },
		ListFiles:   func() fileList { return l.files(ctx) },
		LoadCustom:  func() ([]Custom, error) { return customCommands(o.Home, o.Workspace) },
		Branch:      func() string { return branch(o.Workspace) },
		Edit:        externalEditor(o.Getenv),
		Theme:       o.Theme, Quiet: o.Quiet, Inline: o.Inline, Notice: o.Notice,
	})
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.Input), tea.WithOutput(o.Output), tea.WithoutSignalHandler())
	l.send, l.abort = func(msg tea.Msg) { p.Send(msg) }, func(err error) { cancel(err) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer l.rescue()
		if err := l.run(ctx); err != nil {
			cancel(err)
		}
	}()
	_, err = p.Run()
	cause := context.Cause(ctx) // before this side ends it
	cancel(nil)
	<-done
	switch {
	case err == nil:
		return m.Session, nil
	case errors.Is(err, tea.ErrProgramPanic):
		return m.Session, err
	case cause != nil && !errors.Is(cause, context.Canceled):
		return m.Session, cause
	}
	return m.Session, err
}

// utf8Locale tells whether the terminal shows UTF-8, as far as the environment says.
func utf8Locale(getenv func(string) (string, bool)) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v, ok := getenv(name); ok && v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// projectCommands are the project's, if the person agreed to what it brings for agents.
func projectCommands(h home.Home, workspace string) ([]Custom, error) {
	list, err := loadCustom(filepath.Join(workspace, ".astrid", "commands"), "this project")
	if len(list) == 0 {
		return nil, err
	}
	real, rerr := filepath.EvalSymlinks(workspace)
	if rerr != nil {
		return nil, rerr
	}
	st, terr := trust.Open(h).Status(real)
	switch {
	case terr != nil:
		return nil, terr
	case st.Used():
		return list, err
	case st.Asks():
		return nil, errors.New("the project's commands are not used: `astrid trust` shows what it brings for agents, and asks")
	}
	return nil, nil
}

// customCommands reads the person's commands, and those of the project where theirs have
// other names. A project's text becomes a prompt only when the person asks for it by name.
func customCommands(h home.Home, workspace string) ([]Custom, error) {
	own, err := loadCustom(filepath.Join(h.Etc(), "commands"), "yours")
	project, perr := projectCommands(h, workspace)
	for _, c := range project {
		if !slices.ContainsFunc(own, func(o Custom) bool { return o.Name == c.Name }) {
			own = append(own, c)
		}
	}
	return own, errors.Join(err, perr)
}
