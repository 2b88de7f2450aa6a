package vfs

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apply plays an edit script back.
func play(lines []hunkLine) (a, b []byte) {
	for _, l := range lines {
		if l.kind != '+' {
			a = append(a, l.text...)
		}
		if l.kind != '-' {
			b = append(b, l.text...)
		}
	}
	return a, b
}

func TestUnified(t *testing.T) {
	number := func(from, to int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			b.WriteString(strings.Repeat("x", i) + "\n")
		}
		return b.String()
	}
	cases := []struct{ name, a, b, want string }{
		{"same", "a\n", "a\n", ""},
		{"insert into nothing", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"delete all", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		{"no newline", "a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"middle", "a\nb\nc\n", "a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"two hunks", "1\n" + number(1, 8) + "2\n", "one\n" + number(1, 8) + "two\n",
			"@@ -1,4 +1,4 @@\n-1\n+one\n" + pre(number(1, 3)) + "@@ -7,4 +7,4 @@\n" + pre(number(6, 8)) + "-2\n+two\n"},
		{"one hunk", "1\n" + number(1, 6) + "2\n", "one\n" + number(1, 6) + "two\n", "@@ -1,8 +1,8 @@\n-1\n+one\n" + pre(number(1, 6)) + "-2\n+two\n"},
	}
	for _, c := range cases {
		if got := unified([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	// Too many differences: still a correct script.
	a, b := []byte(strings.Repeat("a\nb\n", 2000)), []byte(strings.Repeat("c\na\n", 2000))
	x, y := play(script(splitLines(a), splitLines(b)))
	if !bytes.Equal(x, a) || !bytes.Equal(y, b) {
		t.Error("the script of two very different files is wrong")
	}
}

func pre(s string) string {
	return " " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n ") + "\n"
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("a\nb\nc"), []byte("a\nc\nd\n"))
	f.Add([]byte("\n\n"), []byte("\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := play(script(splitLines(a), splitLines(b)))
		if !bytes.Equal(x, a) || !bytes.Equal(y, b) {
			t.Fatalf("script of %q and %q gives %q and %q", a, b, x, y)
		}
		unified(a, b)
	})
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a/../b", "/..", "a//b/.", "", "\x00", "..a/...", strings.Repeat("../", 9)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := cleanName(s)
		if err != nil {
			if !errors.Is(err, ErrEscape) && !errors.Is(err, ErrName) {
				t.Fatal(err)
			}
			return
		}
		if !filepath.IsLocal(p) || p != filepath.Clean(p) || strings.ContainsRune(p, 0) {
			t.Fatalf("%q became %q", s, p)
		}
		if again, err := cleanName(p); err != nil || again != p {
			t.Fatalf("%q became %q, then %q %v", s, p, again, err)
		}
	})
}

func FuzzBase(f *testing.F) {
	f.Add([]byte(`{"path":"a","mode":420,"size":3}` + "\n" + `{"path":["/w=="]}` + "\n" + `{"path":"a","gone":true}` + "\n{torn"))
	f.Fuzz(func(t *testing.T, data []byte) {
		recs := parseBase(data)
		var out bytes.Buffer
		for _, r := range recs {
			if err := json.NewEncoder(&out).Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		if out.Len() < 30000 && len(parseBase(out.Bytes())) != len(recs) {
			t.Fatalf("%q does not survive a rewrite", data)
		}
	})
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"version":1,"phase":"apply","steps":[{"kind":"place","path":"a/b","temp":"a/.astrid-tmp-X","was":{"path":"a/b","mode":0}}]}`))
	f.Add([]byte(`{"version":1,"phase":"apply","steps":[{"kind":"delete","path":"../x","was":{"path":"","mode":0}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := parseJournal(data)
		if err != nil {
			return
		}
		for _, s := range j.Steps {
			if !filepath.IsLocal(string(s.Path)) || s.Path == "." || s.Kind == stepPlace && !filepath.IsLocal(string(s.Temp)) {
				t.Fatalf("accepted step for %q, %q", s.Path, s.Temp)
			}
		}
	})
}

// TestDamagedJournal: an overlay whose journal cannot be trusted does not open.
func TestDamagedJournal(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	must(t, v.Close())
	for _, j := range []string{"", "{", `{"version":9,"phase":"apply"}`, `{"version":1,"phase":"x"}`,
		`{"version":1,"phase":"apply","steps":[{"kind":"delete","path":"../../x"}]}`,
		`{"version":1,"phase":"prepare","steps":[{"kind":"place","path":"a","temp":"b"}]}`} {
		must(t, os.WriteFile(v.journalPath(), []byte(j), 0o600))
		if o, err := NewOverlay(lower, v.UpperDir(), OverlayOptions{}); err == nil {
			o.Close()
			t.Errorf("opened with journal %q", j)
		}
	}
	if data, _ := os.ReadFile(filepath.Join(lower, "b")); string(data) != "bee\n" {
		t.Errorf("a temporary name that is none was deleted: %q", data)
	}
}

// TestOddNames: names that are not UTF-8 cannot be asked for, but a directory that holds them can be moved, deleted and committed.
func TestOddNames(t *testing.T) {
	v, lower := newOverlay(t, OverlayOptions{})
	odd := filepath.Join(lower, "d/\xff\xfe")
	if err := os.WriteFile(odd, []byte("odd"), 0o644); err != nil {
		t.Skip("this filesystem takes only UTF-8 names")
	}
	must(t, v.Rename("d", "z"))
	v.reopen(t)
	_, err := v.Commit(CommitOptions{})
	must(t, err)
	if data, err := os.ReadFile(filepath.Join(lower, "z/\xff\xfe")); err != nil || string(data) != "odd" {
		t.Errorf("%q %v", data, err)
	}
	if _, err := os.Lstat(odd); err == nil {
		t.Error("the old name is still there")
	}
}
