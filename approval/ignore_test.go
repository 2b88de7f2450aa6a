package approval

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIgnoreMatches(t *testing.T) {
	for _, c := range []struct {
		file string
		hit  string // paths, each with the line that ignores it
		miss string
	}{
		{".env", ".env:1 a/.env:1 .env/x:1", ".envx a.env env"},
		{"/.env", ".env:1", "a/.env"},
		{"secrets/", "secrets:1 secrets/a:1 a/secrets/b:1", "secretsx"},
		{"a/b", "a/b:1 a/b/c:1", "x/a/b b"},
		{"*.pem\n!public.pem", "k.pem:1 a/k.pem:1", "public.pem a/public.pem"},
		{"keys/\n!keys/public", "keys/public:1", ""},
		{"keys/*\n!keys/public", "keys/a:1", "keys keys/public keys/public/x"},
		{"**/k", "k:1 a/b/k:1", "ka"},
		{"a/**", "a/x:1 a/x/y:1", "a"},
		{"a/**/z", "a/z:1 a/b/c/z:1", "a/zz"},
		{"# x\n\n\\#y\n\\!z\n", "#y:3 !z:4", "x y z"},
		{"a \nb\\ \n", "a:1", "b"},
		{"[ab]?", "ab:1 bz:1", "a cb"},
		{"[!a]x", "bx:1", "ax"},
		{"\ufeffa\r\nb\r\n", "a:1 b:2", ""},
		{"*", "a:1 .b:1", ""},
		{"x\ny\nx", "x:3 y:2", ""},
	} {
		g, err := ParseIgnore([]byte(c.file), "F", false)
		if err != nil {
			t.Errorf("%q: %v", c.file, err)
			continue
		}
		for _, want := range strings.Fields(c.hit) {
			p, line, _ := strings.Cut(want, ":")
			if r, ok := g.Match(p); !ok || r.Source != "F:"+line {
				t.Errorf("%q: %s is ignored %v by %s, not by %s", c.file, p, ok, r.Source, line)
			}
		}
		for _, p := range strings.Fields(c.miss) {
			if r, ok := g.Match(p); ok {
				t.Errorf("%q: %s is ignored by %s", c.file, p, r.Source)
			}
		}
	}
	if g, _ := ParseIgnore([]byte(`b\ `), "F", false); g != nil {
		if _, ok := g.Match("b "); !ok {
			t.Error("an escaped blank is lost")
		}
	}
	g, err := ParseIgnore([]byte("SECRET.txt"), "F", true)
	if _, ok := g.Match("Secret.TXT"); !ok || err != nil {
		t.Errorf("without case: %v %v", ok, err)
	}
}

// TestMalformedIgnoreFile: what git would read as "never matches" is an error here, with its line.
func TestMalformedIgnoreFile(t *testing.T) {
	for _, line := range []string{"[a", "a[b-", "a\\", "/", "!", "!/", "a//b", "../x", "./x", "a/../b", "[b-a]", "[[:alpha:]]", `[\]]`, "a\x00b", strings.Repeat("x", 2000)} {
		_, err := ParseIgnore([]byte("ok\n"+line), "F", false)
		if err == nil || !strings.HasPrefix(err.Error(), "F:2: ") || !errors.Is(err, ErrPattern) {
			t.Errorf("%q: %v", line, err)
		}
	}
	if _, err := ParseIgnore(bytes.Repeat([]byte("a\n"), maxIgnoreRules+1), "F", false); err == nil {
		t.Error("any number of patterns is taken")
	}
	if _, err := ParseIgnore(make([]byte, MaxIgnoreBytes+1), "F", false); err == nil {
		t.Error("any size is taken")
	}
	if r, ok := BrokenIgnore("F", errors.New("why")).Match("any/thing"); !ok || !strings.Contains(r.Value, "why") {
		t.Errorf("a broken file ignores: %v %v", r, ok)
	}
}

// TestIgnoreIsGitignore compares with git itself: what git ignores is ignored, and what is ignored beyond that is so because a
// pattern for directories hides files of that name too.
func TestIgnoreIsGitignore(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	files, dirs := t.TempDir(), t.TempDir() // the paths do not exist in the one, and are directories in the other
	run := func(dir, in string, args ...string) string {
		cmd := exec.Command(git, args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.Output()
		var status *exec.ExitError
		if err != nil && !(errors.As(err, &status) && status.ExitCode() == 1) {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, dir := range []string{files, dirs} {
		run(dir, "", "init", "-q")
	}
	names := []string{"a", "b", "ab", "a.b", ".a"}
	var paths []string
	for _, x := range names {
		paths = append(paths, x)
		for _, y := range names {
			paths = append(paths, x+"/"+y)
			for _, z := range names[:3] {
				paths = append(paths, x+"/"+y+"/"+z)
			}
		}
	}
	for _, p := range paths {
		must(t, os.MkdirAll(filepath.Join(dirs, p), 0o700))
	}
	part := rapid.SampledFrom([]string{"a", "b", "ab", "a.b", ".a", "*", "a*", "*b", "?", "[ab]", "[!a]", "**", "a**b", `\a`})
	pattern := rapid.Custom(func(t *rapid.T) string {
		p := strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "/")
		return rapid.SampledFrom([]string{"", "!", "/", "!/"}).Draw(t, "head") + p + rapid.SampledFrom([]string{"", "", "/", " "}).Draw(t, "tail")
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pattern, 1, 5).Draw(t, "lines"), "\n") + "\n"
		g, err := ParseIgnore([]byte(text), "F", false)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		ignored := map[string]bool{}
		for _, dir := range []string{files, dirs} {
			if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, p := range strings.Split(run(dir, strings.Join(paths, "\x00")+"\x00", "check-ignore", "--no-index", "-z", "--stdin"), "\x00") {
				ignored[p] = true
			}
		}
		for _, p := range paths {
			if _, got := g.Match(p); got != ignored[p] {
				t.Fatalf("%q: %s is ignored %v, by git %v", text, p, got, ignored[p])
			}
		}
	})
}

func FuzzIgnore(f *testing.F) {
	f.Add([]byte("a/**/b\n!c[d-e]/\n\\ "), "a/x/b")
	f.Fuzz(func(t *testing.T, text []byte, p string) {
		g, err := ParseIgnore(text, "F", false)
		if err != nil {
			return
		}
		a, hit := g.Match(p)
		if b, again := g.Match(p); a != b || hit != again {
			t.Error("two answers")
		}
		if _, below := g.Match(p + "/x"); hit && !below && p != "" && p != "." && p[0] != '/' && !strings.HasSuffix(p, "/") {
			// A file's rule holds for what a directory of that name would hold.
			t.Errorf("%q is ignored, what is in it is not", p)
		}
	})
}
