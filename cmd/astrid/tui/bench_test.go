package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/unicity-astrid/astrid-go/abi"
)

// longSession is a conversation of 10,000 messages with code, lists and calls.
func longSession() []abi.ChatMessage {
	var out []abi.ChatMessage
	for i := range 2500 {
		id := fmt.Sprint(i)
		out = append(out, abi.TextMessage(abi.RoleUser, "question "+id),
			abi.ChatMessage{Role: abi.RoleAssistant, Content: abi.Content{Calls: []abi.ToolCall{{ID: id, Name: "read_file", Arguments: []byte(`{"file_path":"a.go"}`)}}}},
			abi.ChatMessage{Role: abi.RoleTool, Content: abi.Content{Result: &abi.ToolCallResult{CallID: id, Content: strings.Repeat("line\n", 20)}}},
			abi.TextMessage(abi.RoleAssistant, sampleAnswer))
	}
	return out
}

func benchModel() *Model {
	m := NewModel(Config{Port: &calls{}, Now: time.Now, NewID: func() string { return "t" }, Session: testSession, Workspace: "/srv/project"})
	m.update(tea.WindowSizeMsg{Width: 120, Height: 40})
	return m
}

func report(name string, v, reach time.Duration) {
	fmt.Printf("BENCH %s %d ns %d %.3f\n", name, v.Nanoseconds(), reach.Nanoseconds(), float64(v)/float64(reach))
}

// BenchmarkScroll is a page up through a session of 10,000 messages, against the 8 ms of a frame: the median on the wall, and in
// processor time the mean and the slowest, for the slowest on the wall is that of whatever else runs. The first frame,
// which renders a screen of markdown at once, is one of them.
func BenchmarkScroll(b *testing.B) {
	m := benchModel()
	m.update(connectedMsg{session: testSession, pid: 1, history: longSession()})
	var all, slowest time.Duration
	var wall []time.Duration
	const frames = 200
	for i := range frames {
		began, begin := time.Now(), cpuTime(b)
		if i > 0 {
			m.update(tea.KeyPressMsg{Code: tea.KeyPgUp})
		}
		m.View()
		d := cpuTime(b) - begin
		all, slowest, wall = all+d, max(slowest, d), append(wall, time.Since(began))
	}
	slices.Sort(wall)
	report("tui_frame_wall", wall[frames/2], 8*time.Millisecond)
	report("tui_frame", all/frames, 8*time.Millisecond)
	report("tui_frame_slowest", slowest, 8*time.Millisecond)
}

// counter counts what is written to a terminal.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

// BenchmarkStream shows 200 tokens a second for two seconds: the share of a core, against a
// quarter of one, and the bytes written for a token, against the whole screen.
func BenchmarkStream(b *testing.B) {
	m := benchModel()
	m.update(connectedMsg{session: testSession, pid: 1, history: longSession()})
	m.update(started("t"))
	out := &counter{}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(out), tea.WithWindowSize(120, 40), tea.WithoutSignalHandler(),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}))
	done := make(chan error, 1)
	go func() {
		_, err := p.Run()
		done <- err
	}()
	p.Send(delta("t", "Begin.\n\n"))
	time.Sleep(200 * time.Millisecond) // the first frame is not part of it
	words := strings.Fields(strings.Repeat("an answer of many words in `code` and **bold** that goes on for some lines of text\n", 40))
	const tokens = 400
	first, began := cpuTime(b), out.n.Load()
	tick := time.NewTicker(time.Second / 200)
	defer tick.Stop()
	begin := time.Now()
	for i := range tokens {
		<-tick.C
		sep := " "
		if i%60 == 59 {
			sep = "\n\n"
		}
		p.Send(delta("t", words[i%len(words)]+sep))
	}
	time.Sleep(50 * time.Millisecond) // the last frame is
	used, took := cpuTime(b)-first, time.Since(begin)
	written := (out.n.Load() - began) / tokens
	p.Quit()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	share := 100 * float64(used) / float64(took)
	fmt.Printf("BENCH tui_stream_cpu %.1f percent 25 %.3f\n", share, share/25)
	fmt.Printf("BENCH tui_bytes_per_token %d bytes %d %.3f\n", written, 120*40, float64(written)/(120*40))
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLargeAnswer is the frame after an answer of 1 MB, against 300 ms.
func BenchmarkLargeAnswer(b *testing.B) {
	m := benchModel()
	m.update(connectedMsg{session: testSession, pid: 1})
	text := strings.Repeat(sampleAnswer+"\n\n", (1<<20)/len(sampleAnswer))
	begin := time.Now()
	m.update(started("t"))
	m.update(final("t", text))
	m.View()
	report("tui_answer_1mb", time.Since(begin), 300*time.Millisecond)
}
