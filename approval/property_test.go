package approval

import (
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// segment draws a path segment from a small alphabet, so that patterns and texts meet often.
func segment() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.SampledFrom([]rune("ab.*?")), 1, 4, -1)
}

// TestWiderPatternsGrantMore: replacing a part of a pattern by a wildcard never loses a match, or, read the other
// way, a narrower pattern never grants more than a wider one.
func TestWiderPatternsGrantMore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(segment(), 1, 4).Draw(rt, "parts")
		n := rapid.IntRange(0, len(parts)-1).Draw(rt, "n")
		wider := append([]string{}, parts...)
		switch rapid.IntRange(0, 2).Draw(rt, "how") {
		case 0:
			if strings.Contains(wider[n], "**") {
				rt.Skip() // * would be narrower
			}
			wider[n] = "*"
		case 1:
			wider[n] = strings.ReplaceAll(wider[n], "?", "*")
		default:
			wider = append(wider[:n:n], "**")
		}
		narrow, err := CompileGlob("/" + strings.Join(parts, "/"))
		if err != nil {
			rt.Skip()
		}
		wide, err := CompileGlob("/" + strings.Join(wider, "/"))
		if err != nil {
			rt.Fatal(err)
		}
		text := "/" + strings.Join(rapid.SliceOfN(rapid.StringOfN(rapid.SampledFrom([]rune("ab.")), 0, 3, -1), 1, 4).Draw(rt, "text"), "/")
		if narrow.Match(text) && !wide.Match(text) {
			rt.Fatalf("%s matches %s, %s does not", narrow, text, wide)
		}
		exact, err := CompileGlob(EscapeGlob(text))
		if err != nil || !exact.Match(text) {
			rt.Fatalf("%s does not match itself: %v", text, err)
		}
		if other := text + "x"; exact.Match(other) {
			rt.Fatalf("%s matches %s", exact, other)
		}
	})
}

// world is what a sequence of approvals may have granted, kept apart from the gate.
type world struct {
	always, workspace, session map[string]bool
}

// TestApprovalsReachNobodyElse plays random calls and answers of several principals, capsules, sessions and
// workspaces, and predicts for each call whether a human must be asked.
func TestApprovalsReachNobodyElse(t *testing.T) {
	paths := []string{"/data/a", "/data/b", "/data/*", "/data/a/b"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, rigOptions{})
		var next Choice
		asked := 0
		for _, who := range []string{"alice", "bob"} {
			r.Approvals().Attach(who, func(e Event) {
				if e.Type != Asked {
					return
				}
				if e.Request.Principal != who {
					rt.Fatalf("%s is asked for %s", who, e.Request.Principal)
				}
				asked++
				if err := r.Approvals().Resolve(context.Background(), who, e.Request.ID, Decision{Choice: next}); err != nil {
					rt.Fatal(err)
				}
			})
		}
		w := world{map[string]bool{}, map[string]bool{}, map[string]bool{}}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			s := r.subject()
			s.Principal = rapid.SampledFrom([]string{"alice", "bob"}).Draw(rt, "principal")
			s.Capsule = rapid.SampledFrom([]string{"fs", "web"}).Draw(rt, "capsule")
			s.Session = rapid.SampledFrom([]string{"s1", "s2"}).Draw(rt, "session")
			s.Workspace = rapid.SampledFrom([]string{"/ws", "/ws2"}).Draw(rt, "workspace")
			next = rapid.SampledFrom([]Choice{ApproveOnce, ApproveSession, ApproveWorkspace, ApproveAlways, Deny}).Draw(rt, "answer")
			p := rapid.SampledFrom(paths).Draw(rt, "path")
			a := write(p)
			if rapid.Bool().Draw(rt, "read") {
				a = read(p)
			}
			who := strings.Join([]string{s.Principal, s.Capsule, a.Resource}, "\x00")
			inWs, inSession := who+"\x00"+s.Workspace, who+"\x00"+s.Session
			known := w.always[who] || w.workspace[inWs] || w.session[inSession]
			before := asked
			_, err := r.Intercept(context.Background(), s, a)
			if got := asked == before; got != known {
				rt.Fatalf("%q in %s %s: passes without a question %v, granted before %v", who, s.Session, s.Workspace, got, known)
			}
			if want := known || next != Deny; (err == nil) != want {
				rt.Fatalf("%q: %v", who, err)
			}
			if known {
				continue
			}
			switch next {
			case ApproveAlways:
				w.always[who] = true
			case ApproveWorkspace:
				w.workspace[inWs] = true
			case ApproveSession:
				w.session[inSession] = true
			}
			if rapid.IntRange(0, 9).Draw(rt, "end") == 0 {
				must(t, r.EndSession(context.Background(), s.Principal, s.Session))
				for k := range w.session {
					if strings.HasPrefix(k, s.Principal+"\x00") && strings.HasSuffix(k, "\x00"+s.Session) {
						delete(w.session, k)
					}
				}
			}
		}
	})
}

// TestResourcesOfArgumentVectorsAreDistinct: what a human approves is one argument vector.
func TestResourcesOfArgumentVectorsAreDistinct(t *testing.T) {
	word := rapid.StringOfN(rapid.SampledFrom([]rune(`a '"\`)), 1, 3, -1)
	rapid.Check(t, func(rt *rapid.T) {
		x := rapid.SliceOfN(word, 1, 3).Draw(rt, "x")
		y := rapid.SliceOfN(word, 1, 3).Draw(rt, "y")
		if (ExecResource("", x) == ExecResource("", y)) != (strings.Join(x, "\x00") == strings.Join(y, "\x00")) {
			rt.Fatalf("%q and %q: %s", x, y, ExecResource("", x))
		}
		// The text is shell that names exactly this vector.
		cmds, err := parseShell(strings.TrimPrefix(ExecResource("", x), "exec://"))
		if err != nil || len(cmds) != 1 || len(cmds[0].words) != len(x) {
			rt.Fatalf("%q: %v", x, err)
		}
		for n, w := range cmds[0].words {
			if w.text != x[n] {
				rt.Fatalf("%q: word %d is %q", x, n, w.text)
			}
		}
	})
}

// TestTightenOnlyTightens: whatever a workspace says, what base refuses or asks for is never freer.
func TestTightenOnlyTightens(t *testing.T) {
	hosts := []string{"a.test", "b.test", "c.test"}
	list := rapid.SliceOfNDistinct(rapid.SampledFrom(hosts), 0, 3, rapid.ID[string])
	dirs := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"/a", "/b"}), 0, 2, rapid.ID[string])
	rules := rapid.Custom(func(rt *rapid.T) Rules {
		return Rules{
			Mode: Mode(rapid.IntRange(0, 3).Draw(rt, "mode")), Escape: Escape(rapid.IntRange(0, 2).Draw(rt, "escape")),
			AllowedHosts: builtin(list.Draw(rt, "allowed")...), DeniedHosts: builtin(list.Draw(rt, "denied")...),
			NeverAllow: builtin(dirs.Draw(rt, "never")...), AutoAllowRead: builtin(dirs.Draw(rt, "read")...),
			AutoAllowWrite: builtin(dirs.Draw(rt, "write")...), MaxArgumentSize: rapid.SampledFrom([]int64{0, 3, 9}).Draw(rt, "size"),
			SkipDeleteApproval: rapid.Bool().Draw(rt, "skip delete"), SkipNetworkApproval: rapid.Bool().Draw(rt, "skip net"),
			BlockedTools: builtin(rapid.SampledFrom([]string{"mkfs", "dd"}).Draw(rt, "tool")),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		base, ws := rules.Draw(rt, "base"), rules.Draw(rt, "ws")
		p, q := mustPolicy(t, base), mustPolicy(t, Tighten(base, ws))
		for _, a := range []Action{get("https://a.test/"), get("https://b.test/"), get("https://x.test/"), read("/a/x"), write("/b/x"),
			{Kind: FSDelete, Resource: "fs:delete:///c"}, run("ls", "abcd"), run("dd", "x"), run("mkfs"), inWS(write("/ws/a"))} {
			must(t, a.complete())
			s := Subject{Workspace: "/ws"}
			if before, after := p.judge(&s, &a), q.judge(&s, &a); after.effect > before.effect {
				rt.Fatalf("%s: %v becomes %v (%s)", a.Resource, before.effect, after.effect, after.rule)
			}
		}
	})
}

// wraps turn a command into another one that runs it.
var wraps = []func(argv []string) []string{
	func(v []string) []string { return append([]string{"env", "A=1"}, v...) },
	func(v []string) []string { return append([]string{"/usr/bin/nice", "-n", "5"}, v...) },
	func(v []string) []string { return append([]string{"timeout", "-k", "1", "5"}, v...) },
	func(v []string) []string { return append([]string{"xargs", "-n", "1"}, v...) },
	func(v []string) []string { return append(append([]string{"find", ".", "-exec"}, v...), ";") },
	func(v []string) []string { return append([]string{"nohup", "setsid"}, v...) },
	func(v []string) []string { return []string{"env", "-S", line(v)} },
	func(v []string) []string { return []string{"sh", "-c", line(v)} },
	func(v []string) []string { return []string{"/bin/bash", "-lc", "cd /x && " + line(v) + " | cat"} },
	func(v []string) []string { return []string{"sh", "-c", "if true; then A=1 " + line(v) + "; fi"} },
	func(v []string) []string { return []string{"sh", "-c", "echo \"$(" + line(v) + ")\""} },
	func(v []string) []string { return []string{"sh", "-c", "f() { " + line(v) + "\n}; f"} },
	func(v []string) []string { return []string{"sh", "-c", "sh <<'END'\n" + line(v) + "\nEND"} },
	func(v []string) []string { return []string{"sh", "-c", "eval " + quoteWord(line(v))} },
	func(v []string) []string { return []string{"sh", "-c", "case x in x) " + line(v) + ";; esac"} },
	func(v []string) []string { return []string{"bash", "-c", "cat <(" + line(v) + ")"} },
}

// line writes an argument vector as a shell command.
func line(argv []string) string {
	words := make([]string, len(argv))
	for n, w := range argv {
		words[n] = quoteWord(w)
	}
	return strings.Join(words, " ")
}

// TestWrappingNeverHidesACommand: however a forbidden command is wrapped, it stays forbidden; and wrapping a
// harmless one does not make it forbidden.
func TestWrappingNeverHidesACommand(t *testing.T) {
	p := mustPolicy(t, Rules{Mode: Yolo, BlockedTools: builtin("rm -rf /", "mkfs")})
	rapid.Check(t, func(rt *rapid.T) {
		bad := rapid.SampledFrom([][]string{{"sudo", "ls"}, {"/bin/su"}, {"rm", "-fr", "/"}, {"mkfs.ext4", "x"}, {"cat", "../x"}}).Draw(rt, "bad")
		good := []string{"ls", "-l", "a b"}
		for range rapid.IntRange(0, 5).Draw(rt, "depth") {
			wrap := wraps[rapid.IntRange(0, len(wraps)-1).Draw(rt, "wrap")]
			bad, good = wrap(bad), wrap(good)
		}
		if v := execVerdict(p, bad...); v.effect != deny {
			rt.Fatalf("%q passes", bad)
		}
		if v := execVerdict(p, good...); v.effect != allow {
			rt.Fatalf("%q is refused: %s", good, v.reason)
		}
	})
}
