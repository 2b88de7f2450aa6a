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

	"github.com/unicity-astrid/astrid-go/cmd/astrid/cli"
)

// TestKillInit kills init at random moments, from one version of a distribution to the other
// and back. Each time every capsule is whole and of one of them, the lock is one of the two
// whole ones, and running it again completes it. ASTRID_CRASH_ROUNDS sets how often.
func TestKillInit(t *testing.T) {
	p := newPlace(t).compiled()
	rounds := 3
	if s := os.Getenv("ASTRID_CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	astrid := cli.Program(t, "astrid")
	versions := []string{"1.0.0", "2.0.0"}
	locks := make(map[string]string)
	var dirs []string
	var window time.Duration
	for _, v := range versions {
		dir := filepath.Join(p.cwd, "v"+v)
		if err := os.Rename(p.miniDistro(v, beside), dir); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	command := func(dir string) *exec.Cmd {
		cmd := exec.Command(astrid, "init", "--yes", "--distro", dir)
		cmd.Env = append(os.Environ(), "ASTRID_HOME="+p.home.Root(), "ASTRID_SECRETS_STORE=file")
		return cmd
	}
	lock := func() string { return withoutTime(p.read(p.path(".config", "distro.lock"))) }
	for i, dir := range dirs {
		start := time.Now()
		if out, err := command(dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		window = time.Since(start)
		locks[lock()] = versions[i]
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, undisturbed it takes %v", seed, window)
	random := rand.New(rand.NewPCG(seed, 0))
	killed := 0
	for tries := 0; killed < rounds && tries < 10*rounds; tries++ {
		dir := dirs[tries%2]
		cmd := command(dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(random.Int64N(int64(window))), func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil && strings.Contains(err.Error(), "killed") {
			killed++
		} else {
			window = max(window*3/4, time.Millisecond)
		}
		kill.Stop()
		p.want(cli.ExitOK, "capsule verify")
		if _, ok := locks[lock()]; !ok {
			t.Fatalf("try %d left the lock\n%s", tries, lock())
		}
		// Some of the time it is run again, and then it is as if nothing had happened.
		if random.IntN(3) == 0 {
			if out, err := command(dir).CombinedOutput(); err != nil {
				t.Fatalf("try %d, again: %v: %s", tries, err, out)
			}
			p.want(cli.ExitOK, "distro verify")
			if got, want := locks[lock()], versions[tries%2]; got != want {
				t.Fatalf("try %d, again: the lock is of %s, want %s", tries, got, want)
			}
		}
	}
	if killed < rounds {
		t.Errorf("only %d of %d kills came before the end", killed, rounds)
	}
}

// withoutTime is a lock without the line that says when it was made.
func withoutTime(lock string) string {
	var out []string
	for _, line := range strings.Split(lock, "\n") {
		if !strings.HasPrefix(line, "resolved-at") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
