package sandbox

import "strings"

// seatbelt is the profile for macOS: everything is denied but what a program needs to run, to read the workspace and to write
// below scratch, which is a directory of the child's own. Rules that come later win.
func (o *Options) seatbelt(c *Command, scratch string) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	paths := func(verb string, kind string, list ...string) {
		b.WriteString("(" + verb)
		for _, p := range list {
			b.WriteString(" (" + kind + " \"" + p + "\")") // checkPath has refused quotes and backslashes
		}
		line(")")
	}
	line("(version 1)")
	line("(deny default)")
	line("(allow process-exec*)")
	line("(allow process-fork)")
	line("(allow signal (target same-sandbox))")
	line("(allow sysctl-read)")
	line("(allow ipc-posix-sem)")
	line("(allow mach-lookup (global-name \"com.apple.system.opendirectoryd.libinfo\"))")
	if c.Network {
		line("(allow network-outbound (remote ip))")
		line("(allow network-inbound (local ip))")
		line("(allow system-socket)")
		line("(allow mach-lookup (global-name \"com.apple.dnssd.service\"))")
	}
	read := []string{"/usr", "/bin", "/sbin", "/System", "/Library", "/opt", "/private/etc/ssl", "/private/var/db/timezone", "/private/var/select", "/dev"}
	paths("allow file-read*", "subpath", append(append(read, o.Readable...), o.Workspace, scratch)...)
	paths("allow file-read*", "literal", "/", "/private", "/private/etc", "/private/etc/passwd", "/private/etc/localtime", "/private/etc/hosts", "/etc", "/tmp", "/var")
	paths("allow file-read-metadata", "subpath", "/")
	paths("allow file-write*", "subpath", scratch)
	paths("allow file-write*", "literal", "/dev/null", "/dev/zero", "/dev/dtracehelper")
	hidden := append([]string{}, o.Hidden...)
	if below(o.Home, o.Workspace) {
		for _, name := range secretsOfHome {
			hidden = append(hidden, o.Home+"/"+name)
		}
	}
	for _, cover := range c.Covered { // the workspace cannot be written to anyway
		if !cover.Readable {
			hidden = append(hidden, cover.Path)
		}
	}
	if len(hidden) > 0 {
		paths("deny file-read* file-write*", "subpath", hidden...)
	}
	return b.String()
}
