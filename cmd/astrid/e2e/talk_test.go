package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/wire"
)

// maxReply is the largest frame that a talk reads, in bytes.
const maxReply = 1 << 20

// scriptSocket plays a conversation with the daemon's socket, from a file of these lines:
//
//	> JSON   a frame for the daemon; {{token}} is the token of its home
//	< JSON   messages of the daemon are read until one matches
//	<        the daemon ends the connection
//
// An object matches one that has its keys and whatever else; "…" matches anything. {{NAME}} as a
// whole string matches anything at first, and what that was from then on, also in frames. $NAME is expanded.
func scriptSocket(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "socket FILE")
	dir := ts.Getenv("ASTRID_HOME")
	token, err := home.ReadToken(filepath.Join(dir, "run/system.token"))
	ts.Check(err)
	conn, err := net.Dial("unix", filepath.Join(dir, "run/system.sock"))
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.SetDeadline(time.Now().Add(patience)))
	t := talk{conn: conn, names: map[string]any{"token": token.Hex()}}
	for n, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		for _, name := range []string{"WORK", "FAKE"} {
			line = strings.ReplaceAll(line, "$"+name, ts.Getenv(name))
		}
		if err := t.line(strings.TrimSpace(line)); err != nil {
			ts.Fatalf("%s:%d: %s\n%v\nread meanwhile:\n%s", args[0], n+1, line, err, strings.Join(t.skipped, "\n"))
		}
	}
}

type talk struct {
	conn    net.Conn
	names   map[string]any
	skipped []string // by the line that runs
}

func (t *talk) line(line string) error {
	t.skipped = nil
	kind, text, _ := strings.Cut(line, " ")
	switch kind {
	case "", "#":
		return nil
	case ">":
		for name, v := range t.names {
			if s, ok := v.(string); ok {
				text = strings.ReplaceAll(text, "{{"+name+"}}", s)
			}
		}
		if !json.Valid([]byte(text)) {
			return errors.New("the frame is no JSON")
		}
		_, err := t.conn.Write(frame(text))
		return err
	case "<":
		if text == "" {
			return t.ended()
		}
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			return fmt.Errorf("the pattern is no JSON: %w", err)
		}
		return t.await(want)
	}
	return errors.New("a line begins with > or < or #")
}

func (t *talk) await(want any) error {
	for {
		raw, err := wire.ReadFrame(t.conn, maxReply)
		if err != nil {
			return err
		}
		var got any
		if err := json.Unmarshal(raw, &got); err != nil {
			return fmt.Errorf("the daemon sent no JSON: %w: %s", err, raw)
		}
		names := maps.Clone(t.names)
		if matches(names, want, got) {
			t.names = names
			return nil
		}
		t.skipped = append(t.skipped, clip(string(raw)))
	}
}

func (t *talk) ended() error {
	for {
		raw, err := wire.ReadFrame(t.conn, maxReply)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		t.skipped = append(t.skipped, clip(string(raw)))
	}
}

// matches compares what came with a pattern, and binds names that the pattern has and nobody had yet.
func matches(names map[string]any, want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		obj, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for k, w := range want {
			if v, ok := obj[k]; !ok || !matches(names, w, v) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !matches(names, want[i], list[i]) {
				return false
			}
		}
		return true
	case string:
		if want == "…" {
			return true
		}
		name, ok := strings.CutPrefix(want, "{{")
		if name, ok2 := strings.CutSuffix(name, "}}"); ok && ok2 {
			if v, bound := names[name]; bound {
				return reflect.DeepEqual(v, got)
			}
			names[name] = got
			return true
		}
	}
	return reflect.DeepEqual(want, got)
}

// TestEveryMethodIsInTheProtocol: the conversations call each management method.
func TestEveryMethodIsInTheProtocol(t *testing.T) {
	text, err := os.ReadFile("testdata/protocol.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(repo, "abi", "management*.go"))
	if err != nil {
		t.Fatal(err)
	}
	method, n := regexp.MustCompile(`(?m)^\tMethod[A-Za-z]+ *= "([A-Za-z]+)"`), 0
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllSubmatch(src, -1) {
			n++
			if call := fmt.Sprintf(`{"method":%q`, m[1]); !strings.Contains(string(text), call) {
				t.Errorf("protocol.txtar has no %s…", call)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d methods were found", n)
	}
}
