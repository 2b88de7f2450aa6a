package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// Port is what the screen asks of the connection. Its methods only queue: what comes of it
// arrives as a message.
type Port interface {
	Prompt(turn, text, model string, steer bool) // model "" is the active one
	Run(turn, text, command string)              // a command, as the person wrote it
	Cancel(turn string)                          // "" is whichever runs
	Answer(id, session, decision, feedback string)
	Command(text string)
	SetModel(id string)
	Select(topic, request, id string) // a choice for a capsule
	Refresh()
	Switch(session string)       // to one that begins
	Resume(session string)       // to one that has a history
	Fetch(page, key string)      // what a page shows; key "" is all of it
	Elicit(r abi.ElicitResponse) // an answer to a capsule
	Act(page, verb, key string)  // what a page offers
}

// Config is the world of a [Model].
type Config struct {
	Port      Port
	Now       func() time.Time
	NewID     func() string // of turns and sessions
	Session   string        // id
	Name      string        // what the person calls the session; may be ""
	Model     string        // that prompts ask for; "" is the active one
	Workspace string        // as shown
	ASCII     bool          // the terminal does not take UTF-8
	// LoadHistory and SaveHistory keep the input history; nil means that nothing is kept.
	LoadHistory func() ([]string, error)
	SaveHistory func(string) error
	ListFiles   func() fileList
	LoadCustom  func() ([]Custom, error)
	Branch      func() string             // of git; "" is none
	Edit        func(text string) tea.Cmd // in an editor outside; ends with an editedMsg
	Theme       string                    // see [ThemeNames]; "" follows the terminal
	Inline      bool                      // leave the terminal's scrollback in use
	Notice      string                    // the first thing on the screen; "" is nothing
	Quiet       bool                      // no bell and no desktop messages
}

// connection is what the screen knows about the daemon.
type connection uint8

const (
	connecting connection = iota
	online
	offline
)

// Model is the state of the screen.
type Model struct {
	Config
	theme *theme
	conversation
	input   input
	history lineHistory
	picker  picker
	dialog  dialog
	form    form
	page    *page // over the conversation; nil is none

	width, height int
	frame         int // of the spinner
	ticking       bool

	conn     connection
	connNote string
	pid      int
	opened   bool   // the history has been shown
	loaded   string // which reading of it
	mode     string
	modelID  string // that answers next
	finding  string // model that was asked for by name, until the list comes
	budget   budgetMsg
	context  uint64 // tokens the model can take; 0 is unknown
	commands []capsuleCommand
	custom   []Custom
	files    fileList
	listing  bool // of files
	branch   string
	focus    focus
	hidePlan bool
	covered  bool      // a page was over the scrollback
	printing bool      // something is on its way to the scrollback
	cmds     []tea.Cmd // what the current message wants done
	stopping bool      // Esc was pressed for the running turn
	hint     string
	hintTill time.Time
	armed    time.Time // when Ctrl+C was pressed last
}

// NewModel makes the screen of a session.
func NewModel(c Config) *Model {
	m := &Model{Config: c, theme: newTheme(c.ASCII, c.Theme), conversation: newConversation()}
	m.input = newInput("Ask something, or / for commands", maxInput)
	m.connNote = "connecting to the daemon"
	m.modelID = oneLine(c.Model)
	if c.Notice != "" {
		m.notice(printable(c.Notice))
	}
	return m
}

type (
	historyMsg struct {
		entries []string
		err     error
	}
	tickMsg struct{}
)

// Init asks for what the screen needs to know about the terminal.
func (m *Model) Init() tea.Cmd {
	cmds := []tea.Cmd{tea.RequestBackgroundColor, m.tick()}
	if m.LoadCustom != nil {
		cmds = append(cmds, func() tea.Msg {
			list, err := m.LoadCustom()
			return customMsg{list, err}
		})
	}
	m.wantBranch()
	cmds = append(cmds, m.drain())
	if m.LoadHistory != nil {
		cmds = append(cmds, func() tea.Msg {
			entries, err := m.LoadHistory()
			return historyMsg{entries, err}
		})
	}
	return tea.Batch(cmds...)
}

// tickEvery is how often the screen moves by itself while something runs.
const tickEvery = 150 * time.Millisecond

// tick keeps spinner and countdown going while there are any. An idle screen does not wake up.
func (m *Model) tick() tea.Cmd {
	if m.ticking || !m.restless() {
		return nil
	}
	m.ticking = true
	return tea.Tick(tickEvery, func(time.Time) tea.Msg { return tickMsg{} })
}

func (m *Model) restless() bool {
	return m.busy() || m.dialog.open() || m.conn != online || m.Now().Before(m.hintTill)
}

// Update takes one message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	return m, tea.Batch(m.update(msg), m.drain(), m.flush(), m.tick())
}

// do has a command run after the current message.
func (m *Model) do(cmd tea.Cmd) { m.cmds = append(m.cmds, cmd) }

func (m *Model) drain() tea.Cmd {
	cmds := m.cmds
	m.cmds = nil
	return tea.Batch(cmds...)
}

func (m *Model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.layout()
	case printedMsg:
		m.printing = false
	case tea.FocusMsg:
		m.focus = focused
	case tea.BlurMsg:
		m.focus = away
	case filesMsg:
		m.files, m.listing = fileList(msg), false
		m.picker.update(m)
	case branchMsg:
		m.branch = string(msg)
	case customMsg:
		if msg.err != nil {
			m.problem(printable(msg.err.Error()))
		}
		m.custom = msg.commands
	case editedMsg:
		m.edited(msg)
	case tea.BackgroundColorMsg:
		m.theme.background(msg.IsDark())
	case tickMsg:
		m.ticking = false
		m.frame++
		m.expire()
	case historyMsg:
		if msg.err != nil {
			m.problem(printable(msg.err.Error()))
		}
		m.history.load(msg.entries)
	case tea.KeyPressMsg:
		return m.key(msg)
	case tea.PasteMsg:
		m.paste(msg.Content)
	case tea.MouseWheelMsg:
		m.wheel(msg)
	default:
		m.daemon(msg)
	}
	return nil
}

// daemon takes what the link sends.
func (m *Model) daemon(msg tea.Msg) {
	switch msg := msg.(type) {
	case connectingMsg:
		m.connNote = oneLine(msg.note)
	case connectedMsg:
		m.connected(msg)
	case olderMsg:
		if msg.load == m.loaded {
			m.older(msg.messages)
			m.replay()
		}
	case lostMsg:
		m.lost(msg.err)
	case sentMsg:
		for i := range m.prompts {
			m.prompts[i].sent = m.prompts[i].sent || m.prompts[i].turn == msg.turn
		}
	case failedMsg:
		m.failed(msg)
	case commandsMsg:
		m.commands = msg
		m.picker.update(m)
	case modeMsg:
		m.mode = oneLine(msg.Mode)
	case budgetMsg:
		m.budget = msg
	case modelMsg:
		if m.Model == "" {
			m.modelID, m.context = oneLine(msg.id), msg.context
		}
	case modelSetMsg:
		m.modelSet(msg)
	case providersMsg:
		m.foundModels(msg)
		m.fetched(fetchedMsg{page: pageModel, data: msg})
	case fetchedMsg:
		m.fetched(msg)
	case actedMsg:
		m.acted(msg)
	case ask:
		m.dialog.push(m, msg)
		m.notify("a decision is needed")
	case selectionMsg:
		m.offer(msg)
	case elicitMsg:
		m.form.push(m, msg)
		m.notify("a capsule asks something")
	case elicitGoneMsg:
		m.form.drop(m, msg.RequestID)
	case elicitedMsg:
		m.form.answered(m, msg)
	case withdrawnMsg:
		m.dialog.withdrawn(m, msg.RequestID)
	case answeredMsg:
		// The dialog closed when the decision was made.
	case badMsg:
		m.problem("the daemon sent what this program does not understand: " + printable(msg.err.Error()))
	default:
		m.event(msg)
	}
}

// event takes what happens in the session.
func (m *Model) event(msg tea.Msg) {
	now := m.Now()
	switch msg := msg.(type) {
	case abi.TurnStarted:
		if msg.SessionID == m.Session {
			m.stopping = false
			m.start(msg.TurnID, now)
		}
	case abi.TextDelta:
		if msg.SessionID == m.Session {
			m.delta(msg, now)
		}
	case abi.TurnSteered:
		if msg.SessionID == m.Session {
			m.steered(msg, now)
		}
	case abi.TurnResumed:
		if msg.SessionID == m.Session {
			m.notice("the turn goes on that the restart had interrupted")
			m.join(msg.TurnID, now)
		}
	case abi.TurnCompacted:
		if msg.SessionID == m.Session {
			m.compacted(msg)
		}
	case reasoningMsg:
		if msg.SessionID == m.Session {
			m.think(abi.TextDelta(msg), now)
		}
	case abi.ToolStarted:
		if msg.SessionID == m.Session {
			m.toolStarted(msg, now)
		}
	case abi.ToolCompleted:
		if msg.SessionID == m.Session {
			m.toolCompleted(msg, now)
		}
	case abi.TurnCompleted:
		if msg.SessionID == m.Session {
			m.stopping = false
			if msg.TurnID == m.turn {
				m.turnEnded()
			}
			m.finish(msg)
			if left := m.unread(); len(left) > 0 && m.input.empty() {
				m.input.set(strings.Join(left, "\n"))
				m.say("the turn ended before it took this in; Enter sends it", hintLong)
			}
			m.wantBranch()
			if msg.Model != "" {
				m.modelID = oneLine(msg.Model)
			}
			m.Port.Refresh()
		}
	case abi.AgentResponse:
		if msg.SessionID == m.Session && m.respond(msg) {
			m.stopping = false
			m.Port.Refresh()
		}
	}
}

// connected shows the history, and says what a restart of the daemon has cost.
func (m *Model) connected(msg connectedMsg) {
	if msg.session != m.Session {
		return
	}
	restarted := m.opened && !msg.resumed && msg.pid != m.pid
	again := m.opened && !msg.resumed
	m.conn, m.pid, m.opened = online, msg.pid, true
	if restarted || !again {
		m.turn, m.stopping = "", false
		if msg.problem == "" {
			m.load(msg.history)
			m.replay()
			m.loaded = msg.load
		}
	}
	if msg.problem != "" {
		m.problem(printable(msg.problem))
	}
	if !again {
		return
	}
	gone := 0
	if restarted {
		gone = m.dropSent()
	}
	switch {
	case gone > 0:
		m.notice(fmt.Sprintf("the daemon was restarted; %d prompt(s) that waited in it are gone (Up brings them back)", gone))
	case restarted:
		m.notice("connected to the daemon again; it was restarted, what ran in it has ended")
	default:
		m.notice("connected to the daemon again")
	}
}

// dropSent forgets prompts that only the old daemon knew.
func (m *Model) dropSent() int {
	var kept []prompt
	for _, p := range m.prompts {
		if !p.sent {
			kept = append(kept, p)
		}
	}
	gone := len(m.prompts) - len(kept)
	m.prompts = kept
	m.showQueue()
	return gone
}

func (m *Model) lost(err error) {
	text := "unknown reason"
	if err != nil {
		text = oneLine(err.Error())
	}
	m.connNote = text
	if m.conn != online {
		return // said before
	}
	m.conn = offline
	m.settle()
	m.dialog.clear()
	m.form = form{}
	m.notice("the connection to the daemon is lost (" + text + "); trying again, a prompt starts the daemon")
}

func (m *Model) failed(msg failedMsg) {
	m.problem(msg.what + ": " + printable(msg.err.Error()))
	if p, ok := m.unqueue(msg.turn); ok && m.input.empty() {
		m.input.set(p.text)
	}
}

// say shows a hint for a while on the line above the input.
func (m *Model) say(text string, d time.Duration) {
	m.hint, m.hintTill = text, m.Now().Add(d)
}

// expire drops what time has overtaken.
func (m *Model) expire() {
	if !m.Now().Before(m.hintTill) {
		m.hint = ""
	}
	m.dialog.expire(m)
}

func (m *Model) pen() pen { return pen{theme: m.theme, now: m.Now(), frame: m.frame} }
