package astrid

import (
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/unicity-astrid/astrid-go/"

// allowed says which of our packages each room may import, besides its own subpackages.
// A room is the longest prefix that matches. The picture is in ARCHITECTURE.md.
var allowed = map[string][]string{
	"abi":              nil,
	"ipc":              {"abi"},
	"vfs":              nil,
	"audit":            {"abi"},
	"capability":       {"abi"},
	"approval":         {"abi", "audit", "capability"},
	"abi/host":         {"abi", "approval", "audit", "capability", "ipc", "vfs"},
	"capsule/meter":    nil,
	"capsule":          {"abi", "abi/host", "ipc"},
	"capsule/trial":    {"abi", "abi/host", "approval", "capsule", "ipc", "vfs"},
	"kernel/wire":      {"abi"},
	"kernel/home":      {"abi"},
	"kernel/storage":   {"abi"},
	"kernel/config":    {"abi"},
	"kernel/telemetry": {"abi"},
	"kernel/identity":  {"abi"},
	"kernel/secrets":   {"abi", "kernel/home"}, // which knows where things are, and how to write them
	"kernel/trust":     {"abi", "kernel/home"}, // the same
	"kernel/sandbox":   {"abi"},
	"kernel":           {"abi", "abi/host", "approval", "audit", "capability", "capsule", "ipc", "vfs"},
	"cmd":              {"abi", "approval", "audit", "capability", "capsule", "distros", "ipc", "kernel", "vfs"},
	"sdk":              {"abi"},
	"distros":          nil,
	"distros/astralis": {"abi", "sdk"},
}

// TestArrows holds the direction of imports: cmd → kernel → capsule → abi/host →
// {approval, audit, capability, vfs, ipc} → abi, and sdk → abi.
func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		if pkg+"/" == module {
			continue
		}
		room, ok := roomOf(pkg)
		if !ok {
			t.Errorf("%s is in no room: give it one in ARCHITECTURE.md and here", pkg)
			continue
		}
		seen++
		for _, imp := range fields[1:] {
			imp, ours := strings.CutPrefix(imp, module)
			if !ours || mayImport(room, imp) {
				continue
			}
			t.Errorf("%s imports %s: %s may import only %v", pkg, imp, room, allowed[room])
		}
	}
	if seen < 20 {
		t.Fatalf("only %d packages were seen", seen)
	}
}

func roomOf(pkg string) (string, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := allowed[p]; ok {
			return p, true
		}
	}
	return "", false
}

// mayImport: a room reaches its own packages, and those of the rooms it is allowed.
func mayImport(room, imp string) bool {
	target, ok := roomOf(imp)
	if !ok {
		return false
	}
	if target == room {
		return true
	}
	if room == "kernel" && strings.HasPrefix(target, "kernel/") || room == "capsule" && strings.HasPrefix(target, "capsule/") ||
		room == "cmd" && (strings.HasPrefix(target, "kernel/") || strings.HasPrefix(target, "capsule/")) {
		return true
	}
	for _, a := range allowed[room] {
		if a == target {
			return true
		}
	}
	return false
}

// TestTopLevel keeps the tree's top as the design has it.
func TestTopLevel(t *testing.T) {
	want := map[string]bool{
		"abi": true, "approval": true, "audit": true, "capability": true, "capsule": true, "cmd": true, "distros": true,
		"ipc": true, "kernel": true, "sdk": true, "testdata": true, "vfs": true,
		"bin": true, // built, not kept
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !want[e.Name()] {
			t.Errorf("top-level folder %s is not in the design", e.Name())
		}
	}
}

// TestPackageComments: every package says what it is for.
func TestPackageComments(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}	{{.Doc}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if pkg, doc, _ := strings.Cut(line, "\t"); strings.TrimSpace(doc) == "" {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}
