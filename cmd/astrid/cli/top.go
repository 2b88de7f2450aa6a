package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

type topOptions struct {
	sys   System
	every time.Duration
	once  bool
	sort  string
}

// topColumns are what top can sort by, with the key that does.
var topColumns = []struct{ name, key string }{{"cpu", "c"}, {"memory", "m"}, {"calls", "h"}, {"queued", "u"}, {"name", "n"}}

func newTop(sys System) *cobra.Command {
	o := &topOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch what each capsule uses",
		Long: `Watch what each capsule uses: CPU as a percentage of one processor, and rates per second.

Keys: c, m, h, u and n sort by CPU, memory, host calls, queue and name; q leaves. Where standard
output is no terminal one table is printed, as with --once.

Exit codes: 0 done, 1 it failed, 2 the command line is wrong, 3 the daemon is not running.`,
		Example: "  astrid top\n  astrid top --interval 250ms --sort memory\n  astrid top --once",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	cmd.Flags().DurationVarP(&o.every, "interval", "d", time.Second, "time between two looks, at least 100ms")
	cmd.Flags().BoolVar(&o.once, "once", false, "print one table and end")
	cmd.Flags().StringVar(&o.sort, "sort", "cpu", "sort by `COLUMN`: cpu, memory, calls, queued or name")
	return cmd
}

func (o *topOptions) run(ctx context.Context) error {
	if o.every < 100*time.Millisecond {
		return fail(ExitUsage, "--interval %s: want at least 100ms", o.every)
	}
	if !slices.ContainsFunc(topColumns, func(c struct{ name, key string }) bool { return c.name == o.sort }) {
		return fail(ExitUsage, "--sort %q: want cpu, memory, calls, queued or name", o.sort)
	}
	conn, err := o.sys.mustRun(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	m := &topModel{o: o, conn: conn, ctx: ctx, sort: o.sort}
	if m.now, err = look(ctx, conn); err != nil {
		return err
	}
	if !o.once && o.sys.IsTerminal(o.sys.Stdin) && o.sys.IsTerminal(o.sys.Stdout) {
		_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.sys.Stdin), tea.WithOutput(o.sys.Stdout), tea.WithoutSignalHandler()).Run()
		if ctx.Err() != nil {
			return nil // Ctrl+C is how one leaves
		}
		return cmp.Or(m.err, err)
	}
	t := time.NewTimer(o.every)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	m.before = m.now
	if m.now, err = look(ctx, conn); err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.sys.Stdout, strings.Join(m.lines(), "\n"))
	return err
}

// sample is one look at the daemon.
type sample struct {
	at   time.Time
	st   abi.DaemonStatus
	list []abi.CapsuleStatus
}

func look(ctx context.Context, conn *client.Conn) (*sample, error) {
	st, err := fetchStatus(ctx, conn)
	if err != nil {
		return nil, err
	}
	list, err := call[[]abi.CapsuleStatus](ctx, conn, abi.MethodListUsage, nil)
	return &sample{time.Now(), *st, list}, err
}

// topModel is the live screen.
type topModel struct {
	o           *topOptions
	ctx         context.Context
	conn        *client.Conn
	before, now *sample
	sort        string
	width       int
	height      int
	err         error
}

type tickMsg struct{}

type sampleMsg struct {
	s   *sample
	err error
}

func (m *topModel) Init() tea.Cmd { return m.tick() }

func (m *topModel) tick() tea.Cmd {
	return tea.Tick(m.o.every, func(time.Time) tea.Msg { return tickMsg{} })
}

func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tickMsg:
		return m, func() tea.Msg {
			s, err := look(m.ctx, m.conn)
			return sampleMsg{s, err}
		}
	case sampleMsg:
		if msg.err != nil {
			m.err = msg.err
			return m, tea.Quit
		}
		m.before, m.now = m.now, msg.s
		return m, m.tick()
	case tea.KeyPressMsg:
		switch k := msg.String(); k {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		default:
			for _, c := range topColumns {
				if c.key == k {
					m.sort = c.name
				}
			}
		}
	}
	return m, nil
}

func (m *topModel) View() tea.View {
	lines := m.lines()
	if m.height > 0 && len(lines) > m.height {
		lines = lines[:m.height]
	}
	if m.width > 0 {
		for i, l := range lines {
			lines[i] = ansi.Truncate(l, m.width, "…")
		}
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	return v
}

// topRow is one capsule between two looks.
type topRow struct {
	abi.CapsuleStatus
	cpu, handled, calls float64 // percent of a processor, per second
}

// rows compares two looks. A capsule that was loaded in between began at zero.
func (m *topModel) rows() []topRow {
	var out []topRow
	for _, c := range m.now.list {
		r := topRow{CapsuleStatus: c}
		if m.before != nil {
			span := m.now.at.Sub(m.before.at).Seconds()
			var b abi.CapsuleStatus
			for _, o := range m.before.list {
				if o.Name == c.Name && o.CPUMicros <= c.CPUMicros && o.HostCalls <= c.HostCalls && o.Handled <= c.Handled {
					b = o
				}
			}
			r.cpu = float64(c.CPUMicros-b.CPUMicros) / 1e4 / span
			r.handled = float64(c.Handled-b.Handled) / span
			r.calls = float64(c.HostCalls-b.HostCalls) / span
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b topRow) int {
		switch m.sort {
		case "cpu":
			return cmp.Compare(b.cpu, a.cpu)
		case "memory":
			return cmp.Compare(b.MemoryBytes, a.MemoryBytes)
		case "calls":
			return cmp.Compare(b.calls, a.calls)
		case "queued":
			return cmp.Compare(b.Queued, a.Queued)
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out
}

// hint is what the keys do, on the live screen.
func (m *topModel) hint() string {
	if m.width == 0 {
		return ""
	}
	var keys []string
	for _, c := range topColumns {
		keys = append(keys, c.key+" "+c.name)
	}
	return "sorted by " + m.sort + "; " + strings.Join(keys, ", ") + ", q leaves"
}

// lines is the table with two lines about the whole above it.
func (m *topModel) lines() []string {
	st := &m.now.st
	rows := m.rows()
	var cpu float64
	var memory uint64
	for _, r := range rows {
		cpu += r.cpu
		memory += r.MemoryBytes
	}
	lines := []string{
		fmt.Sprintf("astrid %s, PID %d, up %s, %d clients, %d of %d capsules ready", approval.Display(st.Version), st.PID,
			time.Duration(st.UptimeSecs)*time.Second, st.ConnectedClients, len(st.LoadedCapsules), len(st.Capsules)),
		fmt.Sprintf("guests %.1f%% CPU, %s memory; messages %d published, %d delivered, %d refused", cpu, size(memory), st.Bus.Published, st.Bus.Delivered, st.Bus.QueueFull),
		m.hint(),
		fmt.Sprintf("%-28s %-8s %5s %7s %9s %9s %9s %9s %7s %8s", "CAPSULE", "STATE", "INST", "%CPU", "CPU", "MEMORY", "MSG/S", "CALLS/S", "QUEUED", "RESTARTS"),
	}
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%-28s %-8s %5d %7.1f %9s %9s %9.1f %9.1f %7d %8d", ansi.Truncate(approval.Display(r.Name), 28, "…"), r.State, r.Instances,
			r.cpu, cpuTime(r.CPUMicros), size(r.MemoryBytes), r.handled, r.calls, r.Queued, r.Restarts))
	}
	return lines
}
