package approval

import "strings"

// privileged programs change the user or the group. They are refused in every mode, whatever the configuration says.
var privileged = map[string]bool{
	"sudo": true, "su": true, "doas": true, "sudoedit": true, "pkexec": true, "runuser": true, "su-exec": true,
	"gosu": true, "run0": true, "sudo-rs": true, "su-rs": true, "sg": true, "newgrp": true,
}

// isPrivileged also knows them by the names that distributions keep them under: sudo.ws.
func isPrivileged(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	return privileged[name]
}

// commandRule is one compiled entry of blocked_tools or approval_required_tools.
type commandRule struct {
	Rule
	program  string
	flags    string   // short flags that must all be given
	operands []string // operands that must all be given
}

func compileCommand(r Rule) commandRule {
	c := commandRule{Rule: r}
	for i, w := range strings.Fields(r.Value) {
		switch {
		case i == 0:
			c.program = base(w)
		case strings.HasPrefix(w, "-"):
			c.flags += shortFlags(w)
		default:
			c.operands = append(c.operands, operand(w))
		}
	}
	return c
}

// longFlags are the long spellings of flags that rules are likely to name.
var longFlags = map[string]string{"recursive": "r", "force": "f", "no-preserve-root": "", "all": "a"}

// shortFlags turns -rf, -R or --recursive into a set of letters. Upper and lower case are the same here: rm and
// chmod use both for "recursive".
func shortFlags(w string) string {
	if long, ok := strings.CutPrefix(w, "--"); ok {
		long, _, _ = strings.Cut(long, "=")
		flags := ""
		for name, short := range longFlags { // programs take any beginning of a long flag
			if long != "" && strings.HasPrefix(name, long) {
				flags += short
			}
		}
		return flags
	}
	return strings.ToLower(strings.TrimPrefix(w, "-"))
}

// operand gives one spelling to `//`, `/.` and `0777`.
func operand(w string) string {
	for strings.Contains(w, "//") {
		w = strings.ReplaceAll(w, "//", "/")
	}
	for strings.Contains(w, "/./") {
		w = strings.ReplaceAll(w, "/./", "/")
	}
	w = strings.TrimSuffix(w, "/.")
	if w == "" {
		w = "/"
	}
	if isDigits(w) && len(w) > 1 {
		w = strings.TrimLeft(w, "0")
	}
	return w
}

// matches: the same program, with at least the rule's flags and operands, in any order and spelling.
func (c *commandRule) matches(words []string) bool {
	name := base(words[0])
	if c.program == "" || name != c.program && !strings.HasPrefix(name, c.program+".") {
		return false
	}
	flags, operands := "", map[string]bool{}
	onlyOperands := false
	for _, w := range words[1:] {
		switch {
		case w == "--":
			onlyOperands = true
		case !onlyOperands && len(w) > 1 && w[0] == '-':
			flags += shortFlags(w)
		default:
			operands[operand(w)] = true
		}
	}
	for i := 0; i < len(c.flags); i++ {
		if strings.IndexByte(flags, c.flags[i]) < 0 {
			return false
		}
	}
	for _, o := range c.operands {
		if !operands[o] {
			return false
		}
	}
	return true
}

func (p *Policy) judgeExec(a *Action) verdict {
	if limit := p.rules.MaxArgumentSize; limit > 0 {
		n := int64(len(a.Stdin))
		for _, arg := range a.Argv[1:] {
			n += int64(len(arg))
		}
		if n > limit {
			return p.tooLong(n)
		}
	}
	for _, arg := range a.Argv {
		if climbs(arg) {
			return hardBlock("no ..", "argument %s contains a .. component", Display(arg))
		}
	}
	an := analyse(a.Path, a.Argv, a.Stdin)
	// What is forbidden is named first: "not readable" is the weaker reason.
	for _, words := range an.commands {
		if v, bad := p.judgeCommand(words); bad {
			return v
		}
	}
	if an.blocked != "" {
		return hardBlock("readable commands", "%s; write the program's name and script out", an.blocked)
	}
	for _, words := range an.commands {
		for n := range p.asking {
			if p.asking[n].matches(words) {
				r := p.asking[n].Rule
				return verdict{ask, "approval_required_tools " + r.Value, r.Source, "this command always needs approval"}
			}
		}
	}
	return p.byMode(a)
}

// judgeCommand decides one command of a script or wrapper.
func (p *Policy) judgeCommand(words []string) (verdict, bool) {
	name := base(words[0])
	if isPrivileged(name) {
		return hardBlock("no privileges", "%s is never allowed", Display(name)), true
	}
	for _, w := range words {
		if climbs(w) {
			return hardBlock("no ..", "argument %s contains a .. component", Display(w)), true
		}
	}
	for n := range p.blocked {
		if r := &p.blocked[n]; r.matches(words) {
			return denied(r.Rule, "blocked_tools", "command %s is blocked", Display(name)), true
		}
	}
	return verdict{}, false
}

// argumentSeparators end a path inside of an argument: --dir=../x, a:../b.
var argumentSeparators = strings.NewReplacer("=", "/", ":", "/", ",", "/")

// climbs reports a `..` component anywhere in an argument.
func climbs(arg string) bool {
	if strings.Contains(arg, "..") && hasDotDot(argumentSeparators.Replace(arg)) {
		return true
	}
	return traverses(arg)
}
