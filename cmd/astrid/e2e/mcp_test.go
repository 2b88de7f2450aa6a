package e2e

import (
	"path/filepath"
	"testing"

	_ "github.com/unicity-astrid/astrid-go/testdata/fakemcp" // the server is built from it
)

// TestMCP: the model uses a server that was built with the protocol's own SDK. It runs in the sandbox over the session's files,
// stays for a turn, and nothing of it holds a commit up.
func TestMCP(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	b := newBox(t, withFake)
	if err := runTool("go", "build", "-o", filepath.Join(b.ws, "notes"), repo+"/testdata/fakemcp/cmd"); err != nil {
		t.Fatal(err)
	}
	archive, err := filepath.Abs(filepath.Join(repo, "distros/astralis/dist/astrid-capsule-mcp.capsule"))
	if err != nil {
		t.Fatal(err)
	}
	b.run("", "capsule", "install", "--yes", archive, "--set", "servers=notes: ./notes\nother: ./missing").want(t, 0)
	b.run("", "start").want(t, 0)
	use := func(tool, args string) string {
		return `call call_mcp_tool {"server":"notes","tool":"` + tool + `","arguments":` + args + `}`
	}
	// Without a person's word it does not start.
	b.run("", "--session", "m", "-p", use("count", "{}")).want(t, 5, "deferred").says(t, "whatever the capsule says to it later")
	b.run("", "--session", "m", "--yes", "-p", "call list_mcp_tools").want(t, 0, "write_note", "input_schema", "missing")
	b.run("", "--session", "m", "--yes", "-p", use("write_note", `{"name":"a","text":"milk"}`)+"\nthen\n"+use("read_note", `{"name":"a"}`)+"\n"+use("count", "{}")+"\nthen\n"+use("count", "{}")).
		want(t, 0, "kept", "MILK", "call 1", "call 2")
	b.run("", "--session", "m", "--yes", "-p", use("count", "{}")+"\n"+use("read_note", `{"name":"b"}`)+"\n"+use("write_note", `{"nme":"b"}`)).
		want(t, 0, "call 1", "no such file", "nme")
	b.run("", "--session", "m", "--yes", "-p", use("quit", "{}")+"\nthen\n"+use("count", "{}")).want(t, 0, "asked to quit", "call 1")
	b.run("", "commit", "--session", "m").want(t, 0, "a.note")
}
