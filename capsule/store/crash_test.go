package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashEnv makes the test binary the process that is killed: it names the root of a fixture.
const crashEnv = "ASTRID_STORE_CRASH_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(crashEnv); root != "" {
		installForEver(root)
	}
	os.Exit(m.Run())
}

// installForEver replaces one capsule by another version again and again and prints a line after each.
func installForEver(root string) {
	s := &Store{Dir: filepath.Join(root, "capsules"), BinDir: filepath.Join(root, "bin")}
	for i := 0; ; i++ {
		source := filepath.Join(root, fmt.Sprint("source", i%2))
		if _, err := s.InstallPath(context.Background(), source, InstallOptions{}); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println("installed")
	}
}

// A process that is killed at any moment leaves a whole capsule behind, of one version or the other.
func TestKilledWhileInstalling(t *testing.T) {
	root := t.TempDir()
	for i := range 2 {
		dir := filepath.Join(root, fmt.Sprint("source", i))
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "Capsule.toml"), manifest("demo", fmt.Sprintf("1.0.%d", i), ""))
		write(t, filepath.Join(dir, "main.wasm"), strings.Repeat(fmt.Sprint(i), 1<<16))
		for j := range 8 {
			write(t, filepath.Join(dir, "sub", fmt.Sprint(i, j)), fmt.Sprint(i, j))
		}
	}
	s := &Store{Dir: filepath.Join(root, "capsules"), BinDir: filepath.Join(root, "bin")}
	for round := range 12 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashEnv+"="+root)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "installed" {
			t.Fatalf("the child says %q", lines.Text())
		}
		// The next installations are under way; each round strikes at another moment of one.
		time.Sleep(time.Duration(round) * 700 * time.Microsecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // always "killed"
		if _, err := s.Recover(); err != nil {
			t.Fatal(err)
		}
		if err := s.Verify("demo"); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		entries, err := os.ReadDir(s.Dir)
		if err != nil || len(entries) != 2 { // demo and .lock
			t.Fatalf("round %d: leftovers %v %v", round, entries, err)
		}
	}
}
