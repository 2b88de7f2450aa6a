package vfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGitAppliesTheDiff feeds random diffs to "git apply" and compares the files.
func TestGitAppliesTheDiff(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 4))
		v, lower := newOverlay(t, OverlayOptions{})
		for i := range 5 {
			must(t, os.WriteFile(filepath.Join(lower, fmt.Sprintf("t%d", i)), text(rng, nil), 0o644))
		}
		for i := range 4 {
			name := fmt.Sprintf("t%d", i)
			old, err := v.ReadFile(name, 0)
			must(t, err)
			must(t, v.WriteFile(name, text(rng, old), 0o644))
		}
		randomChanges(rng, v, 15)
		diff, err := v.Diff()
		must(t, err)
		cmd := exec.Command(git, "apply", "--whitespace=nowarn", "-")
		cmd.Dir = lower
		cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(lower))
		cmd.Stdin = strings.NewReader(diff)
		want := files(tree(t, v))
		if diff == "" {
			continue
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("seed %d: %v %s\n%s", seed, err, out, diff)
		}
		if d := diffTrees(want, files(treeOf(t, lower))); d != "" {
			t.Fatalf("seed %d: git made another tree:\n%s\nof\n%s", seed, d, diff)
		}
	}
}

// text is some lines, or an edit of the old ones. It always has a line of its own, so that it differs.
func text(rng *rand.Rand, old []byte) []byte {
	var b bytes.Buffer
	for _, line := range splitLines(old) {
		switch rng.IntN(8) {
		case 0:
		case 1:
			fmt.Fprintf(&b, "%d\n", rng.IntN(5))
		default:
			b.Write(line)
		}
	}
	for range rng.IntN(30) {
		fmt.Fprintf(&b, "%d\n", rng.IntN(5))
	}
	fmt.Fprintf(&b, "end %d", rng.Uint64()) // without a newline
	return b.Bytes()
}

// files drops what git does not know: directories and most permissions.
func files(pic map[string]string) map[string]string {
	out := map[string]string{}
	for p, s := range pic {
		if strings.HasPrefix(s, "d") {
			continue
		}
		if _, content, ok := strings.Cut(s, " "); ok && strings.HasPrefix(s, "-") {
			s = content
		}
		out[p] = s
	}
	return out
}
