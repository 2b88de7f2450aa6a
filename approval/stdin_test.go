package approval

import (
	"strings"
	"testing"
)

// TestStdinIsJudged: what a program reads is part of what is decided, and a script that a shell reads is looked into.
func TestStdinIsJudged(t *testing.T) {
	p, err := CompilePolicy(Rules{Mode: Autonomous, BlockedTools: builtin("rm -rf /"), MaxArgumentSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		argv  []string
		stdin string
		want  effect
	}{
		{[]string{"sh"}, "ls -la", allow},
		{[]string{"sh"}, "sudo ls", deny},
		{[]string{"bash", "-s", "arg"}, "ls\nrm -r -f /", deny},
		{[]string{"bash", "-"}, "echo $(su -)", deny},
		{[]string{"env", "sh"}, "ls", allow},
		{[]string{"env", "sh"}, "sudo ls", deny},
		{[]string{"xargs", "sh"}, "ls", deny},
		{[]string{"cat"}, "sudo ls", allow},
		{[]string{"python3", "-"}, "print(1)", allow},
		{[]string{"cat"}, strings.Repeat("x", 1001), deny},
	} {
		a := &Action{Kind: Exec, Path: "/usr/bin/" + c.argv[0], Argv: c.argv, Stdin: c.stdin}
		if err := a.complete(); err != nil {
			t.Errorf("%q: %v", c.argv, err)
		}
		if v := p.judgeExec(a); v.effect != c.want {
			t.Errorf("%q <<< %.40q: %v by %s (%s), want %v", c.argv, c.stdin, v.effect, v.rule, v.reason, c.want)
		}
	}
	// Two inputs are two resources, and none is that of an argument that looks like one.
	seen := map[string]bool{}
	for _, a := range []Action{
		{Argv: []string{"cat"}}, {Argv: []string{"cat"}, Stdin: "a"}, {Argv: []string{"cat"}, Stdin: "a b"},
		{Argv: []string{"cat", "<<<", "a"}}, {Argv: []string{"cat", "<<< a"}}, {Argv: []string{"cat", "<<<"}, Stdin: "a"},
	} {
		a.Kind, a.Path = Exec, "/bin/cat"
		if err := a.complete(); err != nil {
			t.Fatal(err)
		}
		if seen[a.Resource] {
			t.Errorf("%s is the resource of two commands", a.Resource)
		}
		seen[a.Resource] = true
	}
}
