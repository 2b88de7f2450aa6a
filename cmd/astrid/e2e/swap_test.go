package e2e

import (
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/testdata/fakeopenai"
)

// TestSwap: what a capsule does can be done by another one, or by none, and the rest works as it did.
func TestSwap(t *testing.T) {
	t.Parallel()
	t.Run("the agent loop, by an echo", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, offline)
		b.run("", "start").want(t, 0)
		b.run("", "-p", "remember that I like tea", "--session", "s").want(t, 0)
		echo := filepath.Join(b.ws, "echo.capsule")
		if err := runTool(filepath.Join(binDir, "astrid-build"), "-o", echo, "testdata/echo"); err != nil {
			t.Fatal(err)
		}
		b.run("", "capsule", "install", "--yes", echo).want(t, 0)
		b.run("", "-p", "hello", "--session", "s").want(t, 0, "echo 5: hello") // it goes on with the session
		b.run("", "-p", "hello", "--session", "other").want(t, 0, "echo 1: hello")
		b.run("", "status").want(t, 0, "react")
	})
	t.Run("the provider, by another", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, offline)
		b.run("", "-p", "hello", "--session", "s").want(t, 0, "offline provider")
		b.run("", "init", "--yes", "--provider", "openai-compat", "--set", "openai_base_url="+fakeURL, "--set", "openai_model=some-model").want(t, 0)
		b.run("", "-p", "mark-swap", "--session", "s").want(t, 0, fakeopenai.Echo("mark-swap"))
		reqs := requestsWith("mark-swap")
		if len(reqs) == 0 || len(reqs[0].Body.Messages) < 4 {
			t.Errorf("the new one does not know what was said: %+v", reqs)
		}
	})
	t.Run("memory and others, by none", func(t *testing.T) {
		t.Parallel()
		b := newBox(t, offline)
		for _, name := range []string{"memory", "agents", "skills", "identity", "context-engine", "hook-bridge", "http", "users", "system"} {
			b.run("", "capsule", "remove", "astrid-capsule-"+name).want(t, 0)
		}
		b.write("a.txt", "I am a\n")
		b.run("", "-p", "read a.txt then write b to b.txt then remember tea").want(t, 0, "I am a")
		b.run("", "diff", "--name-only").want(t, 0, "b.txt", ".astrid/memory.md")
	})
}

// TestMinimal: the smallest distribution is an agent that works with files.
func TestMinimal(t *testing.T) {
	t.Parallel()
	b := newBox(t, "")
	// Compiling is not what is tested.
	if err := copyHome(filepath.Join(offline, "var"), filepath.Join(b.home, "var")); err != nil {
		t.Fatal(err)
	}
	b.run("", "init", "--yes", "--distro", "astralis-min").want(t, 0).says(t, "installed astralis-min 0.1.0: 7 capsules")
	b.run("", "-p", "write hello to a.txt then read a.txt").want(t, 0, "hello")
	b.run("", "status").want(t, 0, "7 of 7 ready")
	b.run("", "init", "--yes", "--distro", "nobody").want(t, 2).says(t, "astralis, astralis-min")
}
