package e2e

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cpu is the processor time of a process so far. Source of the format: proc_pid_stat(5).
func cpu(t testing.TB, id int) time.Duration {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("%v %v", err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestIdle: a daemon without clients costs nothing.
func TestIdle(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	b.run("", "-p", "list the files").want(t, 0)
	id := pid(t, b.home)
	// What the turn left behind, the collector for instance, may end first.
	var used time.Duration
	for range 5 {
		before := cpu(t, id)
		time.Sleep(time.Second)
		if used = cpu(t, id) - before; used == 0 {
			return
		}
	}
	if used > 20*time.Millisecond {
		t.Errorf("an idle daemon used %s of processor time in a second", used)
	}
}

// TestWarmBoot: the second boot is quick. The bound is generous: machines are busy.
func TestWarmBoot(t *testing.T) {
	t.Parallel()
	b := newBox(t, offline)
	b.run("", "start").want(t, 0)
	if ms := b.status().BootMs; ms > 10_000 {
		t.Errorf("the daemon was ready after %d ms: what init compiled was not used", ms)
	}
}
