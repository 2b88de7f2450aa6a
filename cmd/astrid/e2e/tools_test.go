package e2e

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestCapsulesOfTheAgent: what instructions, skills, memory and identity say is in the next request to the model, and their tools
// and those of system and http do through the whole gate what they promise.
func TestCapsulesOfTheAgent(t *testing.T) {
	t.Parallel()
	b := newBox(t, withFake)
	b.write("AGENTS.md", "Tie with a bowline.\n")
	b.write(".astrid/memory.md", "- the boat is green\n")
	b.write(".astrid/skills/knots/SKILL.md", "---\nname: knots\ndescription: how to tie things\n---\nOver, under and through.\n")
	b.run("", "start").want(t, 0)
	system := func(mark string) string {
		t.Helper()
		reqs := requestsWith(mark)
		if len(reqs) == 0 {
			t.Fatalf("the model was not asked about %s", mark)
		}
		var text strings.Builder
		for _, m := range reqs[len(reqs)-1].Body.Messages {
			if m.Role == "system" {
				text.WriteString(m.Text())
			}
		}
		return text.String()
	}
	told := func(mark string, want bool, texts ...string) {
		t.Helper()
		prompt := system(mark)
		for _, s := range texts {
			if strings.Contains(prompt, s) != want {
				t.Errorf("%s: %q in the system prompt is %v\n%s", mark, s, !want, prompt)
			}
		}
	}
	b.run("", "-p", "mark-stranger").want(t, 0)
	told("mark-stranger", false, "bowline", "the boat is green", "how to tie things")
	b.run("", "trust", "--yes").want(t, 0)
	b.run("", "-p", "mark-trusted").want(t, 0)
	told("mark-trusted", true, "bowline", "the boat is green", "how to tie things")

	b.run("", "-p", `call list_skills
call list_capsules
call inspect_capsule {"name":"fs"}
call system_status
then
call read_skill {"skill_id":"knots"}
call save_identity {"callsign":"Bosun","class":"a sailor","aura":"calm","signal":"short","core":"keep dry"}
call remember {"content":"the anchor is heavy","scope":"personal"}`).
		want(t, 0, "how to tie things", "astrid-capsule-router", "fs_write", "capsule_count", "Over, under and through.")
	b.run("", "-p", "mark-later").want(t, 0)
	told("mark-later", true, "Bosun", "the anchor is heavy")
	b.run("", "-p", `call forget {"text":"anchor","scope":"personal"}`).want(t, 0)
	b.run("", "-p", "mark-forgotten").want(t, 0)
	told("mark-forgotten", false, "the anchor is heavy")

	// In a subdirectory the same counts, and the model knows where the person is.
	below := b.cmd("-p", "mark-below")
	below.Dir = filepath.Join(b.ws, ".astrid", "skills")
	b.finish(below).want(t, 0)
	told("mark-below", true, "bowline", `its subdirectory ".astrid/skills"`)
	told("mark-later", false, "its subdirectory")

	// A page at a private address is not reached, whatever a person agrees to.
	var reached atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer srv.Close()
	r := b.run("", "--yes", "-p", `call fetch_url {"url":"`+srv.URL+`"}`)
	if reached.Load() || !strings.Contains(r.out, "private") && !strings.Contains(r.out, "loopback") {
		t.Errorf("reached: %v; exit code %d, answer %s\n%s", reached.Load(), r.code, r.out, r.err)
	}
}
