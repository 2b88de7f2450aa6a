package cli_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestKill kills installations, updates and removals at random moments. Afterwards the
// capsule is there as a whole in one of its versions, or not at all, and what is on disk
// is what was recorded. ASTRID_CRASH_ROUNDS sets how often; each round is one kill.
func TestKill(t *testing.T) {
	p := newPlace(t).compiled()
	rounds := 10
	if s := os.Getenv("ASTRID_CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	astrid := cli.Program(t, "astrid")
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(astrid, args...)
		cmd.Dir = p.cwd
		cmd.Env = append(os.Environ(), "ASTRID_HOME="+p.home.Root())
		return cmd
	}
	one, two := p.pack("demo", "1.0.0", netTables), p.pack("demo", "2.0.0", netTables+"fs_read = [\"cwd://\"]\n")
	commands := [][]string{
		{"capsule", "install", "--yes", two}, {"capsule", "update", "demo", two, "--yes"},
		{"capsule", "install", "--yes", "--force", one}, {"capsule", "remove", "demo", "--purge"},
	}
	// How long each takes undisturbed says when to kill it. A command that was quicker than
	// that does not count, and narrows the window.
	window := make([]time.Duration, len(commands))
	for n, args := range commands {
		start := time.Now()
		if out, err := command(args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		window[n] = time.Since(start)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, undisturbed they take %v", seed, window)
	random := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for tries := 0; killed < rounds && tries < 10*rounds; tries++ {
		n := random.IntN(len(commands))
		cmd := command(commands[n]...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(random.Int64N(int64(window[n]))), func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil && strings.Contains(err.Error(), "killed") {
			killed++
		} else {
			window[n] = max(window[n]*3/4, time.Millisecond)
		}
		kill.Stop()
		p.whole(tries, strings.Join(commands[n], " "))
	}
	if killed < rounds {
		t.Errorf("only %d of %d kills came before the end", killed, rounds)
	}
	// Whatever is left, the next commands and the next daemon work.
	p.want(cli.ExitOK, "capsule install --yes --force "+two)
	p.serve()
	if s := p.state("demo"); s != "ready" {
		t.Errorf("in the end the capsule is %q", s)
	}
	p.want(cli.ExitOK, "capsule remove demo --purge")
	if grants := p.tokens("demo"); len(grants) != 0 {
		t.Errorf("grants outlive the capsule: %v", grants)
	}
}

// whole checks the store after a kill, as the next command finds it.
func (p *place) whole(round int, command string) {
	p.t.Helper()
	s := store.Store{Dir: p.path(".local", "capsules"), BinDir: p.home.BinDir(), WitDir: p.home.WitDir()}
	if _, err := s.Recover(); err != nil {
		p.t.Fatalf("round %d, %s: recover: %v", round, command, err)
	}
	all, err := s.List()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, i := range all {
		if err := s.Verify(i.Name); err != nil {
			p.t.Fatalf("round %d, %s: %v", round, command, err)
		}
		notes, err := os.ReadFile(filepath.Join(i.Dir, "notes.txt"))
		if err != nil || string(notes) != i.Version() || i.Version() != i.Manifest.Package.Version.String() {
			p.t.Fatalf("round %d, %s: %s %s has the file of %s (%v)", round, command, i.Name, i.Version(), notes, err)
		}
	}
	if len(all) > 0 {
		return
	}
	// It is gone, so the record that ends its grants must be there.
	removals, err := store.State{Dir: p.path(store.StateDir)}.Removals()
	if err != nil || len(removals) != 1 || removals[0].Name != "demo" || !removals[0].Purge {
		p.t.Fatalf("round %d, %s: it is gone, recorded are %+v, %v", round, command, removals, err)
	}
}
