package approval

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/capability"
)

// matcher is a compiled Pattern.
type matcher func(s *Subject, a *Action) bool

// compile turns a pattern into its matcher.
func (p Pattern) compile() (matcher, error) {
	if err := p.shape(); err != nil {
		return nil, err
	}
	switch p.Type {
	case ExactResource:
		return func(_ *Subject, a *Action) bool {
			return a.Resource == p.Resource && (p.Method == "" || a.Method == p.Method)
		}, nil
	case ResourceGlob:
		g, err := capability.ParsePattern(p.Pattern)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPattern, err)
		}
		return func(_ *Subject, a *Action) bool { return g.Match(a.Resource) }, nil
	case ExactTool:
		return func(_ *Subject, a *Action) bool {
			return a.Kind == MCPTool && a.Resource == "mcp:"+p.Server+":"+p.Tool
		}, nil
	case ServerTools:
		// A server name with a colon would reach another server's tools.
		if strings.Contains(p.Server, ":") {
			return nil, fmt.Errorf("%w: server name %s contains a colon", ErrPattern, Display(p.Server))
		}
		return func(_ *Subject, a *Action) bool {
			return a.Kind == MCPTool && strings.HasPrefix(a.Resource, "mcp:"+p.Server+":")
		}, nil
	case FilePattern:
		return p.compileFile()
	case NetworkHost:
		if err := checkHostName(p.Host); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPattern, err)
		}
		return func(_ *Subject, a *Action) bool {
			return a.Kind == NetRequest && hostMatches(p.Host, a.Host) &&
				(len(p.Ports) == 0 || slices.Contains(p.Ports, a.Port))
		}, nil
	case CommandPattern:
		return compileCommandPattern(p.Command)
	case WorkspaceRelative:
		return p.compileWorkspace()
	case CapsuleCapability:
		k := Kind(p.Capability)
		if old, ok := oldCapability[p.Capability]; ok {
			k = old
		}
		if _, ok := prefixes[k]; !ok {
			return nil, fmt.Errorf("%w: unknown capability %s", ErrPattern, Display(p.Capability))
		}
		return func(s *Subject, a *Action) bool { return s.Capsule == p.CapsuleID && a.Kind == k }, nil
	default: // CapsuleWildcard: shape knows no other type
		return func(s *Subject, a *Action) bool { return s.Capsule == p.CapsuleID }, nil
	}
}

// oldCapability maps the words of v0.5.0.
var oldCapability = map[string]Kind{
	"http_request": NetRequest, "file_read": FSRead, "file_write": FSWrite, "file_delete": FSDelete,
	"host_process": Exec,
}

var permissionKind = map[string]Kind{"read": FSRead, "write": FSWrite, "delete": FSDelete}

// grantGlob compiles a glob that allows something, so it may not climb.
func grantGlob(text string) (*Glob, error) {
	if traverses(text) {
		return nil, fmt.Errorf("%w %s: it contains a .. component", ErrPattern, Display(text))
	}
	return CompileGlob(text)
}

func (p Pattern) compileFile() (matcher, error) {
	k, ok := permissionKind[p.Permission]
	if !ok {
		return nil, fmt.Errorf("%w: permission %s: use read, write or delete", ErrPattern, Display(p.Permission))
	}
	g, err := grantGlob(p.Pattern)
	if err != nil {
		return nil, err
	}
	return func(_ *Subject, a *Action) bool { return a.Kind == k && !traverses(a.Path) && g.Match(a.Path) }, nil
}

// compileWorkspace compiles a pattern that is relative to the workspace. Without a workspace it covers nothing.
func (p Pattern) compileWorkspace() (matcher, error) {
	switch p.Permission {
	case "execute":
		m, err := compileCommandPattern(p.Pattern)
		if err != nil {
			return nil, err
		}
		return func(s *Subject, a *Action) bool { return s.Workspace != "" && m(s, a) }, nil
	case "invoke":
		g, err := grantGlob(p.Pattern)
		if err != nil {
			return nil, err
		}
		return func(s *Subject, a *Action) bool {
			server, tool, ok := strings.Cut(strings.TrimPrefix(a.Resource, "mcp:"), ":")
			return s.Workspace != "" && a.Kind == MCPTool && ok && g.Match(server+"/"+tool)
		}, nil
	}
	k, ok := permissionKind[p.Permission]
	if !ok {
		return nil, fmt.Errorf("%w: permission %s: use read, write, delete, invoke or execute", ErrPattern, Display(p.Permission))
	}
	g, err := grantGlob(p.Pattern)
	if err != nil {
		return nil, err
	}
	return func(s *Subject, a *Action) bool {
		if a.Kind != k || s.Workspace == "" || traverses(a.Path) || !under(a.Path, s.Workspace) {
			return false
		}
		return g.Match(strings.TrimPrefix(strings.TrimPrefix(a.Path, strings.TrimRight(s.Workspace, "/")), "/"))
	}, nil
}

// shellOperators never match a command pattern: who allowed `git status *` did not allow a second command.
var shellOperators = []string{";", "&&", "||", "|", "&", "$(", "`", "\n", "\r", ">", "<", "${"}

// compileCommandPattern compiles `git status *`. A final ` *` is any further arguments, none included; the
// program is compared with its path when the pattern's first word has one, else by its last component.
func compileCommandPattern(text string) (matcher, error) {
	head, more := strings.CutSuffix(text, " *")
	g, err := grantGlob(head)
	if err != nil {
		return nil, err
	}
	var rest *Glob
	if more {
		if rest, err = grantGlob(head + " **"); err != nil {
			return nil, err
		}
	}
	first, _, _ := strings.Cut(text, " ")
	withPath := strings.Contains(first, "/")
	return func(_ *Subject, a *Action) bool {
		if a.Kind != Exec || len(a.Argv) == 0 {
			return false
		}
		for _, arg := range a.Argv {
			if traverses(arg) {
				return false
			}
			for _, op := range shellOperators {
				if strings.Contains(arg, op) {
					return false
				}
			}
		}
		program := a.Argv[0]
		if a.Path != "" {
			program = a.Path
		}
		if !withPath {
			program = path.Base(program)
		}
		line := strings.TrimPrefix(ExecResource(program, a.Argv), "exec://")
		return g.Match(line) || rest != nil && rest.Match(line)
	}, nil
}
