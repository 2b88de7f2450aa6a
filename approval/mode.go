package approval

import "fmt"

// Mode says what needs no human. The order is from strict to free.
type Mode uint8

// The modes of `workspace.mode`. Hard blocks of the policy hold in all of them.
const (
	// Safe asks for everything outside of the workspace overlay.
	Safe Mode = iota
	// Guided lets reads outside pass.
	Guided
	// Autonomous asks for nothing but what is listed to be asked for.
	Autonomous
	// Yolo decides like Autonomous; processes run without the OS sandbox.
	Yolo
)

// sessionMode is the freest mode that a session may have; the zero value bounds nothing.
type sessionMode struct {
	Mode
	limited bool
}

// SessionModeSource is what a decision by a session's own mode names as its place.
const SessionModeSource = "this session"

var modeNames = [...]string{"safe", "guided", "autonomous", "yolo"}

func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// ParseMode reads a mode name. Anything else is an error and Safe.
func ParseMode(s string) (Mode, error) {
	for i, n := range modeNames {
		if s == n {
			return Mode(i), nil
		}
	}
	return Safe, fmt.Errorf("mode %q: use safe, guided, autonomous or yolo", s)
}

// Escape is `workspace.escape_policy`: what happens with files outside of the workspace. The zero value leaves
// it to the mode.
type Escape uint8

// The escape policies. The order of strictness is deny, ask, allow.
const (
	EscapeAsk Escape = iota
	EscapeDeny
	EscapeAllow
)

var escapeNames = [...]string{"ask", "deny", "allow"}

func (e Escape) String() string {
	if int(e) < len(escapeNames) {
		return escapeNames[e]
	}
	return fmt.Sprintf("escape(%d)", uint8(e))
}

// ParseEscape reads an escape policy. Anything else is an error and EscapeDeny.
func ParseEscape(s string) (Escape, error) {
	for i, n := range escapeNames {
		if s == n {
			return Escape(i), nil
		}
	}
	return EscapeDeny, fmt.Errorf("escape policy %q: use ask, deny or allow", s)
}

// strictness orders escape policies: smaller is stricter.
func (e Escape) strictness() int {
	switch e {
	case EscapeDeny:
		return 0
	case EscapeAsk:
		return 1
	default:
		return 2
	}
}

// lets says whether the mode's table lets a kind pass without a human.
func (m Mode) lets(k Kind, inWorkspace bool) bool {
	if m >= Autonomous && m <= Yolo {
		return true
	}
	switch k {
	case FSRead:
		return inWorkspace || m == Guided
	case FSWrite, FSDelete:
		return inWorkspace
	case NetRequest, NetBind, Exec, Identity, Ask:
		return false
	}
	// The rest either has its own rules (mcp_tool), is itself a question to the human (elicit), or stays inside.
	return true
}
