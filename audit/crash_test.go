package audit

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// crashEnv makes the test binary a child that appends until it is killed; its value is
// the directory of the log.
const crashEnv = "ASTRID_AUDIT_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		appendUntilKilled(dir)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendUntilKilled prints the id of each entry it was answered for.
func appendUntilKilled(dir string) {
	fatal := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	s, err := NewFileStore(filepath.Join(dir, "home"), FileStoreOptions{})
	fatal(err)
	a, err := NewSlotAnchor(filepath.Join(dir, "anchors"))
	fatal(err)
	l, err := Open(Options{Store: s, Anchor: a, Signer: newSigner("runtime"), SegmentSize: 20 << 10})
	fatal(err)
	var out sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				d := decision(i)
				d.MayLag = g == 0 && i%4 != 0 // may be lost, must not harm
				e, err := l.Append(context.Background(), "alice", d)
				fatal(err)
				if !d.MayLag {
					out.Lock()
					fmt.Println(e.ID) // one write, to a pipe: it is out when Println returns
					out.Unlock()
				}
			}
		})
	}
	wg.Wait()
}

// TestKilled kills an appending process at random points. Every entry it was answered for
// is there afterwards, and the chain is intact: as found, and after it was opened again.
func TestKilled(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 10
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	answered, all := map[string]bool{}, 0
	var dir string
	var d dirs
	for round := range rounds {
		if round%10 == 0 { // checking costs by the length of the chain
			dir = t.TempDir()
			d = dirs{home: filepath.Join(dir, "home"), anchors: filepath.Join(dir, "anchors")}
			if err := os.MkdirAll(d.home, 0o700); err != nil {
				t.Fatal(err)
			}
			all += len(answered)
			clear(answered)
		}
		killOnce(t, self, dir, answered)
		checkKilled(t, d, answered, round)
	}
	t.Logf("%d entries answered", all+len(answered))
}

// killOnce runs the child until it has answered a random number of times, and kills it.
func killOnce(t *testing.T, self, dir string, answered map[string]bool) {
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	after := 1 + rand.IntN(60)
	delay := time.Duration(rand.IntN(3000)) * time.Microsecond
	sc := bufio.NewScanner(out)
	for n := 0; sc.Scan(); n++ {
		answered[sc.Text()] = true
		if n == after {
			time.AfterFunc(delay, func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func checkKilled(t *testing.T, d dirs, answered map[string]bool, round int) {
	t.Helper()
	s, err := NewFileStore(d.home, FileStoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	open := func() Anchor {
		a, err := NewSlotAnchor(d.anchors)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		return a
	}
	check := func(when string) {
		r, err := Verify(context.Background(), s, VerifyOptions{Keys: d.keys(), Anchor: open()})
		if err != nil {
			t.Fatal(err)
		}
		if r.State() != Intact {
			t.Fatalf("round %d, %s: %v %v", round, when, r.State(), r.Chains)
		}
	}
	check("as found")
	l, err := Open(Options{Store: s, Anchor: open(), Signer: newSigner("runtime"), SegmentSize: 20 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.OpenChain(context.Background(), "alice"); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for e, err := range l.Query(context.Background(), Filter{Principal: "alice"}) {
		if err != nil {
			t.Fatal(err)
		}
		have[e.ID.String()] = true
	}
	for id := range answered {
		if !have[id] {
			t.Fatalf("round %d: entry %s was answered and is gone", round, id)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check("opened again")
}
