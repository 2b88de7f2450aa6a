package storagetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

const crashEnv = "STORAGETEST_CRASH_SPEC"

// Crash checks that a killed process loses nothing that it was told is stored, and leaves no half transaction. spec names the engine for
// storage.Open, and the test binary must have a test function that calls CrashChild, whose name is child.
func Crash(t *testing.T, spec, child string) {
	for round := range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^"+child+"$")
		cmd.Env = append(os.Environ(), crashEnv+"="+spec)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acked []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if key, ok := strings.CutPrefix(lines.Text(), "acked "); ok {
				acked = append(acked, key)
			}
			if len(acked) == 200+round*77 { // in the middle of the work of 16 writers
				cmd.Process.Kill() // SIGKILL: nothing of the engine runs any more
				break
			}
		}
		for lines.Scan() { // what was on its way
			if key, ok := strings.CutPrefix(lines.Text(), "acked "); ok {
				acked = append(acked, key)
			}
		}
		cmd.Wait()
		if len(acked) < 200 {
			t.Fatalf("the child stored only %d keys", len(acked))
		}
		checkAfterCrash(t, spec, acked)
	}
}

func checkAfterCrash(t *testing.T, spec string, acked []string) {
	e, err := storage.Open(ctx, spec)
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	defer e.Close()
	for _, key := range acked {
		wantValue(t, e, "a/"+key, key)
		wantValue(t, e, "b/"+key, key)
	}
	as, _ := e.List(ctx, "a/")
	bs, _ := e.List(ctx, "b/")
	if len(as) != len(bs) {
		t.Fatalf("%d first and %d second halves of transactions", len(as), len(bs))
	}
}

// CrashChild is the process that Crash kills. Without Crash it does nothing.
func CrashChild(t *testing.T) {
	spec := os.Getenv(crashEnv)
	if spec == "" {
		t.Skip("runs only as the child of a crash test")
	}
	e, err := storage.Open(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	var out sync.Mutex
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d.%d.%d", os.Getpid(), w, i)
				err := e.Update(ctx, func(tx storage.Tx) error {
					if err := tx.Put("a/"+key, []byte(key)); err != nil {
						return err
					}
					return tx.Put("b/"+key, []byte(key))
				})
				if err != nil {
					fmt.Println("failed", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println("acked", key)
				out.Unlock()
			}
		}()
	}
	select {} // until killed
}
