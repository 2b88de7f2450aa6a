package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/ipc"
)

func programs(t *testing.T) (*rig, *guest) {
	t.Helper()
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	return r, r.guest(newCapsule(everythingGrants()))
}

// background starts a program and returns its handle as a parameter.
func (g *guest) background(request string) string {
	g.t.Helper()
	out, err := g.do(abi.SpawnBackgroundHost, request)
	if err != nil {
		g.t.Fatalf("%s: %s", err.Code, err.Message)
	}
	return string(out)
}

// TestProgramIsWhatWasDecided: a name that means another program after the decision starts nothing.
func TestProgramIsWhatWasDecided(t *testing.T) {
	r, g := programs(t)
	plan, err := r.host.planSpawn(context.Background(), &frame{inst: g.inst, call: g.call}, [][]byte{[]byte(`{"cmd":"true"}`)})
	must(t, err)
	if plan.action.Path != "/programs/true" || !slices.Equal(plan.action.Argv, []string{"true"}) {
		t.Errorf("decided about %q %q", plan.action.Path, plan.action.Argv)
	}
	r.programs.moved = true
	_, err = plan.do(context.Background(), nil)
	var u *undone
	if !errors.As(err, &u) || !errors.Is(err, abi.ErrDenied) {
		t.Errorf("it was started: %v", err)
	}
	if slices.Contains(r.history(), "effect spawn") {
		t.Error("the effect happened")
	}
}

// TestProgramGetsWhatWasDecided: argument vector and input reach the program as they are, whatever they look like.
func TestProgramGetsWhatWasDecided(t *testing.T) {
	r, g := programs(t)
	args := []string{"", " ", "$HOME", "`id`", "'", "\"", "\n", "é", "-x"}
	req, err := json.Marshal(abi.ProcessRequest{Cmd: "true", Args: args, Stdin: "in\nput"})
	must(t, err)
	_, aerr := g.do(abi.SpawnHost, string(req))
	if aerr != nil {
		t.Fatal(aerr)
	}
	c := r.programs.commands[0]
	if !slices.Equal(c.Argv, append([]string{"true"}, args...)) || string(c.Stdin) != "in\nput" || c.Session != "s1" || c.Principal != "default" || c.Capsule != "guest" || c.Background {
		t.Errorf("started %+v", c)
	}
}

// TestFindTellsNothing: a capsule without the grant does not learn which programs exist.
func TestFindTellsNothing(t *testing.T) {
	r := newRig(t, rigOptions{rules: approval.Rules{Mode: approval.Autonomous}})
	g := r.guest(newCapsule(Grants{}))
	for _, name := range []string{"true", "no-such-program"} {
		g.refused(abi.CodeDenied, "not declared in manifest", abi.SpawnHost, fmt.Sprintf(`{"cmd":%q}`, name))
	}
	grants := everythingGrants()
	grants.HostProcess = []string{"no-such-program"}
	r.guest(newCapsule(grants)).refused(abi.CodeNotFound, "no-such-program", abi.SpawnHost, `{"cmd":"no-such-program"}`)
}

func TestHostProcessEntries(t *testing.T) {
	b := NewBounds("c", Grants{HostProcess: []string{"git status", "make", "  "}})
	for argv, want := range map[string]bool{
		"git": false, "git status": true, "git status -s": true, "git statusx": false, "git push status": false,
		"make": true, "make all": true, "makefoo": false, "/usr/bin/make": false, " ": false,
	} {
		_, err := b.process(strings.Split(argv, " "))()
		if (err == nil) != want {
			t.Errorf("%q: %v, want allowed %v", argv, err, want)
		}
	}
}

// TestInteractivePrograms: who is asked about one is told that it will get more input, and it gets it.
func TestInteractivePrograms(t *testing.T) {
	r, g := programs(t)
	id := g.background(`{"cmd":"sh","args":["-c","while read x; do echo \"<$x>\"; done"],"stdin":"one\n","interactive":true}`)
	if c := r.programs.commands[0]; !c.Interactive || string(c.Stdin) != "one\n" {
		t.Errorf("started %+v", c)
	}
	handle := strings.TrimSuffix(id, "}")
	g.want(`{"stdout":"<one>\n","stderr":"","running":true,"exit_code":null}`, abi.ReadProcessLogsHost, handle+`,"wait_ms":60000}`)
	g.want(`{"stdout":"<two>\n","stderr":"","running":true,"exit_code":null}`, abi.ReadProcessLogsHost, handle+`,"stdin":"two\n","wait_ms":60000}`)
	g.want(`{"stdout":"","stderr":"","running":true,"exit_code":null}`, abi.ReadProcessLogsHost, handle+`,"wait_ms":1}`)
	// A wait ends with its call.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.host.processLogs(ctx, &frame{inst: g.inst, call: g.call}, [][]byte{[]byte(handle + `,"wait_ms":60000}`)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was cancelled: %v", err)
	}
	if _, err := g.do(abi.KillProcessHost, id); err != nil {
		t.Error(err)
	}
	g.refused(abi.CodeInvalid, "interactive", abi.SpawnHost, `{"cmd":"true","interactive":true}`)
	id = g.background(`{"cmd":"sh","args":["-c","sleep 1000"]}`)
	g.refused(abi.CodeClosed, "reads no input", abi.ReadProcessLogsHost, strings.TrimSuffix(id, "}")+`,"stdin":"x"}`)

	plan := func(request string) string {
		t.Helper()
		p, err := r.host.planSpawnBackground(context.Background(), &frame{inst: g.inst, call: g.call}, [][]byte{[]byte(request)})
		must(t, err)
		return p.action.Stdin
	}
	if plain, more := plan(`{"cmd":"cat","stdin":"a"}`), plan(`{"cmd":"cat","stdin":"a","interactive":true}`); plain != "a" || !strings.HasPrefix(more, "a[and whatever") {
		t.Errorf("decided about %q and %q", plain, more)
	}
}

// TestBackgroundPrograms: a handle works for its principal and session, in every instance of its capsule, and nowhere else.
func TestBackgroundPrograms(t *testing.T) {
	r, g := programs(t)
	id := g.background(`{"cmd":"sh","args":["-c","echo hello; sleep 1000"]}`)
	sibling := r.guest(g.inst.capsule)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		out, err := sibling.do(abi.ReadProcessLogsHost, id)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), `"stdout":"hello\n"`) && strings.Contains(string(out), `"running":true`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("another instance read %s", out)
		}
	}
	for _, call := range []*Call{{Principal: "default", Session: "s2"}, {Principal: "alice", Session: "s1"}} {
		other := r.guest(g.inst.capsule)
		other.call = call
		other.refused(abi.CodeHandle, "no background process", abi.ReadProcessLogsHost, id)
		other.refused(abi.CodeHandle, "no background process", abi.KillProcessHost, id)
	}
	r.guest(newCapsule(everythingGrants())).refused(abi.CodeHandle, "no background process", abi.KillProcessHost, id)
	if _, err := g.do(abi.KillProcessHost, id); err != nil {
		t.Error(err)
	}
	g.refused(abi.CodeHandle, "no background process", abi.KillProcessHost, id)
	// One that ended by itself tells its status, also when asked again.
	id = g.background(`{"cmd":"sh","args":["-c","exit 7"]}`)
	for out := ""; !strings.Contains(out, `"exit_code":7`); time.Sleep(time.Millisecond) {
		b, err := g.do(abi.ReadProcessLogsHost, id)
		if out = string(b); err != nil {
			t.Fatal(err)
		}
	}
	g.want(`{"stdout":"","stderr":"","running":false,"exit_code":7}`, abi.ReadProcessLogsHost, id)
	g.want(`{"killed":true,"exit_code":7,"stdout":"","stderr":""}`, abi.KillProcessHost, id)
}

// TestProgramLimit: a session of a capsule has so many, ended ones included; another session has its own.
func TestProgramLimit(t *testing.T) {
	r, g := programs(t)
	var ids []string
	for range abi.MaxProcesses {
		ids = append(ids, g.background(`{"cmd":"true"}`))
	}
	g.refused(abi.CodeLimit, "background process limit reached (max 8)", abi.SpawnBackgroundHost, `{"cmd":"true"}`)
	other := r.guest(g.inst.capsule)
	other.call = &Call{Principal: "default", Session: "s2"}
	other.background(`{"cmd":"true"}`)
	if _, err := g.do(abi.KillProcessHost, ids[3]); err != nil {
		t.Fatal(err)
	}
	r.programs.fail = abi.Errorf(abi.CodeUnsupported, "bubblewrap is missing: install it")
	g.refused(abi.CodeUnsupported, "install it", abi.SpawnBackgroundHost, `{"cmd":"true"}`)
	g.refused(abi.CodeUnsupported, "install it", abi.SpawnHost, `{"cmd":"true"}`)
	r.programs.fail = nil
	g.background(`{"cmd":"true"}`) // a failed start does not keep its place
}

// TestProgramsEndWithTheirCapsule: the last instance takes them with it.
func TestProgramsEndWithTheirCapsule(t *testing.T) {
	r, g := programs(t)
	sibling, err := r.host.NewInstance(g.inst.capsule, false)
	must(t, err)
	id, aerr := g.do(abi.SpawnBackgroundHost, `{"cmd":"sleep","args":["1000"]}`)
	if aerr != nil {
		t.Fatal(aerr)
	}
	var h abi.ProcessHandle
	must(t, json.Unmarshal(id, &h))
	e, err := g.inst.capsule.processes.get(&frame{inst: g.inst, call: g.call}, h.ID, false)
	must(t, err)
	g.inst.Close()
	g.inst.Close() // counts once
	select {
	case <-e.p.Done():
		t.Fatal("it ended with one of two instances")
	default:
	}
	sibling.Close()
	<-e.settled
}

// TestCancelledCall: a program in the foreground ends when its tool call is cancelled, or its guest call.
func TestCancelledCall(t *testing.T) {
	r, g := programs(t)
	payload, err := ipc.ClassifyPayload([]byte(`{"type":"tool_execute_request","call_id":"c1","tool_name":"run","arguments":{}}`))
	must(t, err)
	g.call = &Call{Principal: "default", Session: "s1", Message: &ipc.Message{Payload: payload}}
	done := make(chan string)
	go func() {
		out, err := g.do(abi.SpawnHost, `{"cmd":"sleep","args":["1000"]}`)
		if err != nil {
			done <- err.Message
		} else {
			done <- string(out)
		}
	}()
	for started := false; !started; time.Sleep(time.Millisecond) {
		r.host.running.mu.Lock()
		started = len(r.host.running.all) == 1
		r.host.running.mu.Unlock()
	}
	r.host.CancelCalls("default", "s2", []string{"c1"})
	r.host.CancelCalls("alice", "s1", []string{"c1"})
	r.host.CancelCalls("default", "s1", []string{"c2", ""})
	select {
	case out := <-done:
		t.Fatalf("a stranger's cancellation ended it: %s", out)
	case <-time.After(20 * time.Millisecond):
	}
	r.host.CancelCalls("default", "s1", []string{"c1"})
	if out := <-done; out != `{"stdout":"","stderr":"process cancelled","exit_code":-1}` {
		t.Errorf("answer %s", out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := g.doCtx(ctx, abi.SpawnHost, `{"cmd":"sleep","args":["1000"]}`); err == nil || err.Code != abi.CodeTimeout {
		t.Errorf("at the call's deadline: %v", err)
	}
}
