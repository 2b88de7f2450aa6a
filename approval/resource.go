package approval

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxResource bounds a resource string, in bytes. Longer ones are refused.
const MaxResource = 256 << 10

// complete checks that an action is whole and that its fields agree with its resource, which is what every
// grant is about. A field that says something else would let policy judge one thing and a grant cover another.
func (a *Action) complete() error {
	prefix, ok := prefixes[a.Kind]
	if !ok {
		return fmt.Errorf("unknown kind of action %s", Display(string(a.Kind)))
	}
	if a.Kind == Exec {
		if len(a.Argv) == 0 || a.Argv[0] == "" {
			return fmt.Errorf("a command needs an argument vector")
		}
		a.Resource = ExecResource(a.Path, a.Argv)
		if a.Stdin != "" { // a here-string: an argument that looks like one is quoted
			a.Resource += " <<< " + quoteWord(a.Stdin)
		}
	}
	switch {
	case len(a.Resource) > MaxResource:
		return fmt.Errorf("the resource has %d bytes, at most %d are allowed", len(a.Resource), MaxResource)
	case !utf8.ValidString(a.Resource):
		return fmt.Errorf("the resource is not valid UTF-8: %s", Display(a.Resource))
	case strings.IndexByte(a.Resource, 0) >= 0:
		return fmt.Errorf("the resource contains NUL: %s", Display(a.Resource))
	case a.Kind == NetRequest && strings.HasPrefix(a.Resource, prefixes[NetBind]):
		return fmt.Errorf("resource %s is not of kind %s", Display(a.Resource), a.Kind)
	case !strings.HasPrefix(a.Resource, prefix) || len(a.Resource) == len(prefix):
		return fmt.Errorf("a resource of kind %s starts with %s, not %s", a.Kind, prefix, Display(a.Resource))
	}
	switch a.Kind {
	case FSRead, FSWrite, FSDelete:
		return a.completeFile(a.Resource[len(prefix):])
	case NetRequest:
		return a.completeNet()
	}
	return nil
}

func (a *Action) completeFile(p string) error {
	if a.Path == "" {
		a.Path = p
	}
	if a.Path != p {
		return fmt.Errorf("path %s and resource %s differ", Display(a.Path), Display(a.Resource))
	}
	if !path.IsAbs(p) {
		return fmt.Errorf("path %s is not absolute", Display(p))
	}
	if !traverses(p) && path.Clean(p) != p {
		return fmt.Errorf("path %s is not clean", Display(p))
	}
	return nil
}

func (a *Action) completeNet() error {
	u, err := url.Parse(strings.TrimPrefix(a.Resource, "net:"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme == "" {
		return fmt.Errorf("resource %s is not net:scheme://host:port/path", Display(a.Resource))
	}
	port := 0
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("resource %s has no valid port", Display(a.Resource))
		}
		port = int(n)
	}
	if port == 0 {
		port = map[string]int{"http": 80, "https": 443, "ws": 80, "wss": 443}[u.Scheme]
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return err
	}
	if a.Host != "" {
		if h, err := canonicalHost(a.Host); err != nil || h != host {
			return fmt.Errorf("host %s and resource %s differ", Display(a.Host), Display(a.Resource))
		}
	}
	if a.Port != 0 && a.Port != port {
		return fmt.Errorf("port %d and resource %s differ", a.Port, Display(a.Resource))
	}
	a.Host, a.Port = host, port
	// One spelling: a grant for https://a.test must cover https://A.test:443/ and nothing else.
	rest := netPath(a.Resource)
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	if port != 0 {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	}
	a.Resource = "net:" + strings.ToLower(u.Scheme) + "://" + host + rest
	return nil
}

// netPath is what follows host:port in a network resource, from the first byte that ends an authority.
func netPath(resource string) string {
	rest := strings.TrimPrefix(resource, "net:")
	if i := strings.Index(rest, "://"); i >= 0 {
		rest = rest[i+3:]
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[i:]
	}
	return ""
}

// FileResource is the resource of a file kind and an absolute host path.
func FileResource(k Kind, absPath string) string { return prefixes[k] + absPath }

// ExecResource is the resource of a command: the program (its resolved path when known) and the arguments, each
// quoted where it must be, so that different argument vectors never share a resource. A program that is told another
// name than its own has that name in brackets, `exec:///bin/busybox(sh) -c x`: some do other things then.
func ExecResource(program string, argv []string) string {
	if program == "" && len(argv) > 0 {
		program = argv[0]
	}
	var b strings.Builder
	b.WriteString("exec://")
	b.WriteString(quoteWord(program))
	if len(argv) > 0 && base(argv[0]) != base(program) {
		b.WriteString("(" + quoteWord(argv[0]) + ")")
	}
	for _, arg := range argv[min(1, len(argv)):] {
		b.WriteByte(' ')
		b.WriteString(quoteWord(arg))
	}
	return b.String()
}

// quoteWord quotes like a POSIX shell does.
func quoteWord(w string) string {
	plain := w != ""
	for i := 0; i < len(w) && plain; i++ {
		c := w[i]
		plain = c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("_@%+=:,./-", c) >= 0
	}
	if plain {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
