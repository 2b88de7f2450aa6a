// Package escapes is the list of ways out of a directory, for whoever serves one: a [Trap] is a directory with every exit that a
// file system can hold and secrets around it, [Trap.Names] is what an attacker may ask for in it. The names cover what Go's own
// tests of os.Root ask for, and other systems' spellings. Capsules, programs in the sandbox, the layers of an overlay and
// archives are tried with the same list, in the tests of vfs, abi/host, kernel and capsule/store.
package escapes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Secret is in the files around a trap.
const Secret = "the secret outside"

// Linked is in the file outside that has names inside, too, and that nobody but its owner may read.
const Linked = Secret + " and inside"

// Trap is the directory Root, x/root in Outer, with what lies outside beside it.
type Trap struct{ Outer, Root string }

// New makes a trap without exits in an empty directory.
func New(outer string) (Trap, error) {
	outer, err := filepath.EvalSymlinks(outer)
	if err != nil {
		return Trap{}, err
	}
	t := Trap{outer, filepath.Join(outer, "x/root")}
	for _, d := range []string{"x/root", "x/root2", "out/dir"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(outer, d), 0o755))
	}
	for _, f := range []string{"secret", "x/secret", "x/root2/secret", "out/secret", "out/dir/secret"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(outer, f), []byte(Secret), 0o644))
	}
	return t, errors.Join(err, os.WriteFile(filepath.Join(outer, "linked"), []byte(Linked), 0o600))
}

// Links are the links of a trap, by name.
func (t Trap) Links() map[string]string {
	return map[string]string{
		"abs":           filepath.Join(t.Outer, "secret"),
		"absdir":        filepath.Join(t.Outer, "out"),
		"absroot":       "/",
		"absinside":     filepath.Join(t.Root, "a/f"),
		"rel":           "../secret",
		"up":            "..",
		"upslash":       "../",
		"upup":          "../..",
		"prefix":        "../root2/secret",
		"back":          "../root/../secret",
		"chain1":        "chain2",
		"chain2":        "a/../chain3",
		"chain3":        "../secret",
		"dirchain":      "deep/up2",
		"deep/up":       "../../secret",
		"deep/up2":      "../..",
		"deep/er/up3":   "../../../out/secret",
		"deep/abs":      filepath.Join(t.Outer, "out/dir"),
		"a/l":           "..",
		"a/ll":          "l/../secret",
		"climb":         "a/l/../secret",
		"dot":           ".",
		"dotup":         "dot/dot/dot/../secret",
		"procroot":      "/proc/self/root",
		"proccwd":       "/proc/self/cwd",
		"procfd":        "/proc/self/fd",
		"procfd0":       "/proc/self/fd/0",
		"relproc":       "../../../../../../../../../../proc/self/root/etc/passwd",
		"zero":          "/dev/zero",
		"tty":           "/dev/tty",
		"newabs":        filepath.Join(t.Outer, "created"),
		"newrel":        "../created",
		"a/newrel":      "../../created",
		"newdir":        "../made",
		"newchain":      "newrel",
		"newdeep":       "../made/by/guest",
		"loop1":         "loop2",
		"loop2":         "loop1",
		"self":          "self",
		"selfdir":       "selfdir/x",
		"slashes":       "a//..//..//secret",
		"gone":          "missing/../../secret",
		"gonein":        "missing/../a/f",
		"a/b/longclimb": strings.Repeat("../", 60) + strings.TrimPrefix(filepath.Join(t.Outer, "secret"), "/"),
		"proc1root":     "/proc/1/root",
		"procexe":       "/proc/self/exe",
		"procthread":    "/proc/thread-self/root",
		"empty dots":    "./././.././secret",
	}
}

// HardLinks are the names that a file outside has in a trap.
func (t Trap) HardLinks() []string { return []string{"hard", "a/hard"} }

// Set plants the exits in a directory, which stands for Root.
func (t Trap) Set(dir string) error {
	err := errors.Join(os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.MkdirAll(filepath.Join(dir, "deep/er"), 0o755),
		os.WriteFile(filepath.Join(dir, "a/f"), []byte("inside"), 0o644), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
	for name, target := range t.Links() {
		err = errors.Join(err, os.Symlink(target, filepath.Join(dir, name)))
	}
	for _, name := range t.HardLinks() {
		err = errors.Join(err, os.Link(filepath.Join(t.Outer, "linked"), filepath.Join(dir, name)))
	}
	fd, serr := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if serr != nil {
		return errors.Join(err, serr)
	}
	defer unix.Close(fd)
	// A socket's path is short, so it is bound under a short name and moved.
	short, serr := os.MkdirTemp("", "s")
	if serr != nil {
		return errors.Join(err, serr)
	}
	defer os.Remove(short)
	return errors.Join(err, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(short, "s")}), os.Rename(filepath.Join(short, "s"), filepath.Join(dir, "sock")))
}

// Names is the written list of ways out.
func (t Trap) Names() []string {
	return []string{
		// the name alone
		"..", "../", "../.", "../secret", "../../secret", "/..", "/../secret", "//../secret", "./../secret", "./.././secret",
		"a/../../secret", "a/b/../../../secret", "a//..//..//secret", "a/./.././../secret", "a/../..", "a/f/../../../secret",
		"missing/../../secret", ".../../../secret", strings.Repeat("../", 100) + "etc/passwd", strings.Repeat("a/../", 50) + "../secret",
		"..\x00", "\x00", "a\x00/../../secret", "a/f\x00.txt", "\xff\xfe", "a/\xc0\xae\xc0\xae/secret", strings.Repeat("a/", 2049),
		strings.Repeat("n", 4097), "",
		// other systems' spellings, which are plain names here
		`..\secret`, `a\..\..\secret`, `C:\secret`, "%2e%2e/secret", "%2e%2e%2fsecret", "․․/secret", "‥/secret", "\u202e../secret",
		"file:///etc/passwd", "cwd://../../secret", "home://../secret", "~/secret", "~root/.ssh", "$HOME/secret",
		"/etc/passwd", "//etc/passwd", "/proc/self/root/etc/passwd", "/dev/zero", "/dev/stdin", t.Outer + "/secret", "/" + t.Outer + "/secret",
		t.Root + "/../secret", t.Root + "2/secret",
		// links
		"abs", "abs/", "abs/.", "absdir", "absdir/secret", "absdir/dir/secret", "absdir/new", "absdir/dir", "absroot", "absroot/etc/passwd", "absinside",
		"rel", "rel/", "up", "up/secret", "up/root/../secret", "up/created", "upslash/secret", "upup/secret", "upup/out/secret", "up/root2/secret",
		"prefix", "back", "chain1", "chain2", "chain3", "dirchain/secret", "dirchain/out/created", "deep/up", "deep/up2", "deep/up2/secret",
		"deep/er/up3", "deep/abs/secret", "deep/abs/new", "a/ll", "climb", "a/l/up/secret", "a/l/rel", "dot/rel", "dot/dot/up/secret", "dotup",
		"procroot", "procroot/etc/passwd", "proccwd", "proccwd/secret", "procfd", "procfd/0", "procfd0", "relproc", "zero", "tty",
		"newabs", "newrel", "a/newrel", "newdir", "newdir/x", "newchain", "newdeep", "newdeep/x",
		"loop1", "loop2/x", "self", "self/x", "selfdir", "slashes", "gone", "gonein", "a/b/longclimb", "fifo", "fifo/x", "sock",
		// dots and blanks at the end, and letters of the other case: some file systems take them for the name itself
		"...", "...//secret", ".../../../secret", "../secret.", "../secret..", "../secret ", ".. /secret", "..../secret", "a./../../secret", "a/.. /../secret", "../.secret",
		"../SECRET", "UP/secret", "Up/SECRET", "ABSDIR/secret", "Rel", "A/../../secret", "..\u017fecret", "../\u017fecret", "PROCROOT/etc/passwd", "up/ROOT2/secret",
		// other alphabets' dots, slashes and letters
		"\uff0e\uff0e/secret", "\uff0e\uff0e\uff0fsecret", "..\u2215secret", "..\u2044secret", "..\u29f8secret", "..\u200b/secret", "\u2060../secret", "a\u0301/../../secret",
		"\u00e1/../../secret", "\u3002\u3002/secret", "\ufe52\ufe52/secret", "%252e%252e/secret", "..%00/secret", "..;/secret", "..%5csecret",
		// names at and beyond the limits of file systems
		strings.Repeat("n", 255), strings.Repeat("n", 256), strings.Repeat("n", 256) + "/../../secret", strings.Repeat("n", 255) + "/../../secret", strings.Repeat("a/", 2047) + "../secret",
		strings.Repeat("up/", 1300) + "secret", strings.Repeat("dot/", 60) + "../secret", strings.Repeat("\u00e4", 127) + "/../../secret",
		// what a directory that is not there yet could become
		"new/../../secret", "new/up/../../../secret", "missing/..", "missing/../..", "missing/../missing/../../secret", "newdir/../secret", "newdir/../../secret", "newdeep/../../secret",
		// a name that ends in a directory, and what is behind a file
		"a/f/.", "a/f/..", "a/f/../../../secret", "a/../", "a/b/../../..", "a/b/../../../", "a/b/../../../x/root/../secret", "up/", "up/.", "up/..", "up/../secret", "up/../../secret",
		"upup/", "upup/..", "absdir/..", "absdir/../secret", "absdir/./secret", "absdir//secret", "absroot/", "absroot/..", "dot/..", "dot/../secret", "dot/dot/../..", "rel/..", "rel/../secret",
		"deep/../up/secret", "deep/up2/..", "deep/up2/../secret", "deep/er/../up2/secret", "deep/er/up3/", "chain1/", "chain1/..", "loop1/..", "loop1/../../secret", "fifo/..", "fifo/../../secret",
		// the kernel's own doors
		"/proc/self/cwd/../secret", "/proc/self/fd/0", "/proc/self/fd/3", "/proc/self/exe/../../secret", "/proc/thread-self/root" + t.Outer + "/secret", "/proc/1/root" + t.Outer + "/secret",
		"/proc/1/cwd/../secret", "/proc/self/task/1/root" + t.Outer + "/secret", "/proc/self/map_files", "/dev/fd/0", "/dev/fd/3", "proc/self/root" + t.Outer + "/secret",
		"procroot" + t.Outer + "/secret", "proccwd/../secret", "procfd/3", "procfd/3/secret", "procfd/..", "proc1root" + t.Outer + "/secret", "procexe", "procthread" + t.Outer + "/secret",
		// another name of a file outside
		"hard", "a/hard", "hard/..", "hard/../../secret", "dot/hard", "a/l/a/hard",
	}
}

// Outside is a picture of everything beside Root and the given directories of Outer: modes and contents by path.
func (t Trap) Outside(except ...string) (map[string]string, error) {
	pic := map[string]string{}
	err := filepath.WalkDir(t.Outer, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(t.Outer, p)
		for _, e := range append(except, "x/root") {
			if rel == e && d.IsDir() {
				return fs.SkipDir
			}
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		pic[rel] = fi.Mode().String()
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			pic[rel] += " " + string(b)
			return err
		}
		return nil
	})
	return pic, err
}
