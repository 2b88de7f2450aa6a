package approval

import "strings"

// shells take a script with -c or from their input.
var shells = map[string]bool{
	"sh": true, "bash": true, "dash": true, "zsh": true, "ksh": true, "mksh": true, "ash": true, "fish": true,
	"rbash": true, "yash": true, "csh": true, "tcsh": true, "pwsh": true,
}

// wrappers run the command in their arguments. Their options are not modelled: any of their words may be the
// command, which errs towards refusing.
var wrappers = map[string]bool{
	"env": true, "nice": true, "nohup": true, "timeout": true, "time": true, "stdbuf": true, "setsid": true,
	"ionice": true, "chrt": true, "taskset": true, "exec": true,
	"command": true, "builtin": true, "busybox": true, "toybox": true, "watch": true, "strace": true,
	"ltrace": true, "script": true, "flock": true, "chroot": true, "unshare": true, "nsenter": true,
	"setpriv": true, "parallel": true, "entr": true, "proot": true, "fakeroot": true, "firejail": true,
	"bwrap": true, "systemd-run": true, "valgrind": true, "caffeinate": true, "trap": true, "alias": true,
	"setarch": true, "linux32": true, "linux64": true, "unbuffer": true, "tmux": true, "screen": true,
	"numactl": true, "cgexec": true, "chpst": true, "softlimit": true, "setuidgid": true, "noglob": true,
	"nocorrect": true, "coproc": true, "catchsegv": true, "arch": true, "runcon": true, "capsh": true,
	"start-stop-daemon": true, "daemonize": true, "dbus-run-session": true, "xvfb-run": true, "perf": true,
	"gdb": true, "prlimit": true, "at": true, "batch": true, "ssh-agent": true, "git-shell": true, "hash": true,
	"coreutils": true, "ssh": true,
}

// scriptBytes occur in scripts and not in names and options.
const scriptBytes = " \t\r\n;|&$`("

// fromInput are the wrappers that take commands from their input.
var fromInput = map[string]bool{"parallel": true, "entr": true, "batch": true, "at": true}

func wrapper(name string) bool {
	// The dynamic loader runs the program in its argument.
	return wrappers[name] || strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-musl") || name == "ld.so"
}

// takesOperand are the wrappers with a word of their own before the command.
var takesOperand = map[string]bool{"timeout": true, "flock": true, "taskset": true, "chrt": true, "chroot": true, "at": true, "ssh": true}

// wrapped judges the words behind a wrapper. The first one that is a shell or a wrapper itself gets the rest.
func (an *analysis) wrapped(words []shellWord, in stdin, depth int) {
	name := base(words[0].text)
	in.fed = in.fed || fromInput[name]
	operand := takesOperand[name]
	named := false // the program was seen
	script := false
	for i := 1; i < len(words); i++ {
		w := words[i]
		if isAssignment(w.text) && name != "alias" {
			an.assignment(w, depth)
			continue
		}
		if strings.HasPrefix(w.text, "-") || name == "alias" {
			// `env -S'sudo x'`, `--split-string=sudo x`, `alias x='sudo y'`
			for _, part := range optionTexts(w.text) {
				an.script(part, false, depth+1)
			}
			continue
		}
		child, known := w.program()
		afterOption := strings.HasPrefix(words[i-1].text, "-")
		// Up to the program each word may be it, with all that follows as its arguments.
		end := len(words)
		if named {
			end = i + 1
		}
		switch {
		case named:
		case !known && w.quoted && (afterOption || operand):
			operand = operand && afterOption
		case !known:
			an.block("the program that %s runs is not written out", name)
		case afterOption || isNumber(w.text):
			operand = operand && afterOption
		case operand:
			operand = false
		default:
			named = true
		}
		if nests(child) {
			if named && end == i+1 {
				an.doubt++
				defer func() { an.doubt-- }()
			}
			an.command(words[i:], in, true, depth+1)
			return
		}
		an.command(words[i:end], in, false, depth+1)
		if strings.ContainsAny(w.text, scriptBytes) {
			script = true
			an.script(w.text, false, depth+1)
		}
	}
	if !named && !script && in.fed {
		an.block("%s takes its command from its input", name)
	}
}

// isNumber: a duration, a priority, a mask.
func isNumber(text string) bool { return text != "" && '0' <= text[0] && text[0] <= '9' }

// nests: the program looks at commands in its own arguments.
func nests(name string) bool {
	switch name {
	case "eval", "xargs", "find", "fd", "fdfind":
		return true
	}
	return shells[name] || wrapper(name)
}

// findExec judges what find runs: the words between -exec and its end. {} is a name found on disk.
func (an *analysis) findExec(words []shellWord, depth int) {
	isFd := base(words[0].text) != "find"
	for i := 1; i < len(words); i++ {
		var child []shellWord
		switch t := words[i].text; {
		case t == "-exec", t == "-execdir", t == "-ok", t == "-okdir", t == "-x", t == "-X", t == "--exec", t == "--exec-batch":
		case isFd && (strings.HasPrefix(t, "--exec=") || strings.HasPrefix(t, "--exec-batch=")):
			_, program, _ := strings.Cut(t, "=")
			child = append(child, shellWord{text: program, quoted: true}.filled("{}"))
		case isFd && len(t) > 2 && (strings.HasPrefix(t, "-x") || strings.HasPrefix(t, "-X")):
			child = append(child, shellWord{text: t[2:], quoted: true}.filled("{}"))
		default:
			continue
		}
		for i++; i < len(words) && words[i].text != ";" && words[i].text != "+"; i++ {
			child = append(child, words[i].filled("{}"))
		}
		an.command(child, stdin{}, true, depth+1)
	}
}

// filled marks a placeholder as text that is not known.
func (w shellWord) filled(placeholder string) shellWord {
	w.text = strings.ReplaceAll(w.text, placeholder, unknownMark)
	return w
}

// xargs judges what xargs runs. Its options are modelled, because `xargs -I {} cp {} x` names no {} program.
func (an *analysis) xargs(words []shellWord, depth int) {
	placeholder := ""
	i := 1
	for ; i < len(words); i++ {
		t := words[i].text
		if t == "--" {
			i++
			break
		}
		if len(t) < 2 || t[0] != '-' {
			break
		}
		opt, value, has := strings.Cut(t, "=")
		switch {
		case opt == "--replace":
			placeholder = "{}"
			if has {
				placeholder = value
			}
		case t[1] == '-':
			if !has && (opt == "--max-args" || opt == "--max-procs" || opt == "--delimiter" || opt == "--arg-file" ||
				opt == "--max-chars" || opt == "--process-slot-var") {
				i++
			}
		default:
			at := strings.IndexAny(t[1:], "IJinPLsdEaRSel") + 1
			if at == 0 {
				continue // only letters without a value
			}
			value := t[at+1:]
			if value == "" && strings.IndexByte("iel", t[at]) < 0 && i+1 < len(words) {
				i++
				value = words[i].text
			}
			switch t[at] {
			case 'I', 'J':
				placeholder = value
			case 'i':
				placeholder = value
				if value == "" {
					placeholder = "{}"
				}
			}
		}
	}
	child := make([]shellWord, 0, len(words))
	for _, w := range words[min(i, len(words)):] {
		if placeholder != "" {
			w = w.filled(placeholder)
		}
		child = append(child, w)
	}
	an.command(child, stdin{fed: true}, true, depth+1)
}

// optionTexts are the parts of an option that may be a command.
func optionTexts(opt string) []string {
	var parts []string
	if _, v, ok := strings.Cut(opt, "="); ok {
		parts = append(parts, v)
	}
	if len(opt) > 2 && opt[1] != '-' {
		parts = append(parts, opt[2:])
		if i := strings.IndexByte(opt, 'S'); i > 0 && i+1 < len(opt) {
			parts = append(parts, opt[i+1:])
		}
	}
	return parts
}

// shell judges `sh [options] [-c script | file] …`.
func (an *analysis) shell(words []shellWord, in stdin, strict bool, depth int) {
	name := base(words[0].text)
	fed := in.fed
	script, reading := false, false
	i := 1
	for ; i < len(words); i++ {
		t := words[i].text
		if t == "--" {
			i++
			break
		}
		if len(t) < 2 || t[0] != '-' && t[0] != '+' || strings.ContainsAny(t, scriptBytes) {
			break
		}
		// The value of an option may be a script too: --rcfile <(…).
		if strings.Contains(t, streamMark) || i+1 < len(words) && strings.HasPrefix(t, "--") && readsStream(words[i+1], false) {
			an.block("%s runs what another command writes", name)
		}
		if strings.HasPrefix(t, "--") {
			opt, value, has := strings.Cut(t, "=")
			switch {
			case (opt == "--command" || opt == "--init-command") && has:
				an.script(value, true, depth+1)
			case opt == "--command" || opt == "--init-command":
				script = true
			case (opt == "--rcfile" || opt == "--init-file") && !has:
				i++
			}
			continue
		}
		script = script || strings.ContainsAny(t, "cC")
		reading = reading || strings.Contains(t, "s")
		if strings.ContainsAny(t[len(t)-1:], "oO") {
			i++
		}
	}
	operands := words[min(i, len(words)):]
	switch {
	case script && len(operands) == 0:
		if fed {
			an.block("%s takes its script from another command", name)
		}
		return
	case script:
		if strings.ContainsAny(operands[0].text, unknownMark+streamMark) {
			an.block("the script of %s is not written out", name)
			return
		}
		an.script(operands[0].text, strict, depth+1)
		for _, w := range operands[1:] {
			an.script(w.text, false, depth+1)
		}
		return
	}
	if len(operands) == 0 || reading || readsStream(operands[0], true) {
		// In a script a shell without one of its own reads what comes: from a pipe around it, a descriptor, a process.
		comes := depth > 0 && len(in.texts) == 0 && !in.file && an.doubt == 0
		if fed || comes || len(operands) > 0 && readsStream(operands[0], false) {
			an.block("%s runs what another command writes", name)
		}
		for _, text := range in.texts {
			if strings.ContainsAny(text, unknownMark+streamMark) {
				an.block("the script of %s is not written out", name)
				return
			}
			an.script(text, true, depth+1)
		}
	}
	for _, w := range operands[min(1, len(operands)):] {
		an.command([]shellWord{w}, stdin{}, false, depth+1)
	}
}

// readsStream: the word is a script file that is really the output of a command; input says whether the standard
// input counts as one.
func readsStream(w shellWord, input bool) bool {
	if strings.Contains(w.text, streamMark) {
		return true
	}
	switch w.text {
	case "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return input
	}
	return isDescriptor(w.text)
}

// isDescriptor: the path names something that is open, whatever that is.
func isDescriptor(path string) bool {
	return strings.HasPrefix(path, "/dev/fd/") || path == "/dev/stdin" ||
		strings.HasPrefix(path, "/proc/") && strings.Contains(path, "/fd/")
}
