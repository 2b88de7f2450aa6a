package sandbox

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Descriptors that bubblewrap inherits.
const (
	statusFD  = 3 // it writes JSON about the child there
	seccompFD = 4 // it reads the filter there
)

// etcFiles are the entries of /etc that programs need. It is a list of what is shown because /etc also holds what only its
// owner may read, and a daemon of root would be the owner.
var etcFiles = []string{
	"alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "default/locale", "fonts",
	"gai.conf", "gitconfig", "group", "host.conf", "hosts", "inputrc", "java", "java-11-openjdk", "java-17-openjdk",
	"java-21-openjdk", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "magic",
	"magic.mime", "maven", "mime.types", "networks", "nsswitch.conf", "os-release", "passwd", "perl", "pki/ca-trust",
	"pki/tls/certs", "profile", "protocols", "python3", "rpc", "services", "shells", "ssl/cert.pem", "ssl/certs",
	"ssl/openssl.cnf", "terminfo", "timezone",
}

// secretsOfHome are places in a home directory that hold keys and passwords. A workspace that contains the home, or is it,
// does not show them.
var secretsOfHome = []string{
	".astrid", ".aws", ".azure", ".config/gcloud", ".config/gh", ".config/git/credentials", ".config/op", ".cargo/credentials",
	".cargo/credentials.toml", ".docker", ".git-credentials", ".gnupg", ".kube", ".local/share/keyrings", ".mozilla",
	".netrc", ".npmrc", ".password-store", ".pgpass", ".pypirc", ".ssh", ".vault-token",
}

// The parts of /proc that are about the machine and not about a process. Files there ask who the caller is, not what it may do,
// so a daemon of root has children that could set kernel.core_pattern.
var (
	procReadOnly = []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/fs", "/proc/irq", "/proc/bus", "/proc/asound", "/proc/driver", "/proc/mtrr"}
	procHidden   = []string{"/proc/acpi", "/proc/scsi", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kmsg",
		"/proc/latency_stats", "/proc/sched_debug", "/proc/timer_list", "/proc/timer_stats", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup"}
)

// bwrapArgs is the argument vector of bubblewrap for one command, program name included. uid and gid are what the child is told
// it has. It asks the disk what is there.
func (o *Options) bwrapArgs(bwrap string, c *Command, uid, gid int) []string {
	a := []string{bwrap, "--unshare-user", "--uid", strconv.Itoa(uid), "--gid", strconv.Itoa(gid), "--unshare-pid",
		"--die-with-parent", "--cap-drop", "ALL", "--json-status-fd", strconv.Itoa(statusFD)}
	if c.Bare {
		a = append(a, "--dev-bind", "/", "/", "--proc", "/proc")
		a = o.hide(a, "/")
	} else {
		a = o.isolate(a, c)
	}
	a = cover(a, c.Covered)
	if !c.Bare {
		a = append(a, "--remount-ro", "/")
	}
	a = append(a, "--chdir", o.Workspace, "--", c.Path)
	if len(c.Argv) > 1 {
		a = append(a, c.Argv[1:]...)
	}
	return a
}

func (o *Options) isolate(a []string, c *Command) []string {
	a = append(a, "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "astrid", "--new-session",
		"--seccomp", strconv.Itoa(seccompFD))
	if !c.Network {
		a = append(a, "--unshare-net")
	}
	a = o.system(a)
	a = append(a, "--ro-bind", o.Upper, "/etc") // see stageEtc
	if c.Network && exists("/etc/resolv.conf") {
		a = append(a, "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf")
	}
	size := func(n uint64) string { return strconv.FormatUint(n, 10) }
	tmp := o.Limits.Tmp
	a = append(a, "--proc", "/proc")
	for _, p := range procReadOnly {
		if exists(p) {
			a = append(a, "--ro-bind", p, p)
		}
	}
	for _, p := range procHidden {
		a = mask(a, p)
	}
	a = append(a, "--dev", "/dev", "--size", size(min(tmp, 256<<20)), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
		"--perms", "1777", "--size", size(tmp), "--tmpfs", "/tmp",
		"--dir", "/run", "--dir", "/var", "--symlink", "/tmp", "/var/tmp")
	if o.Home != "/" && !below("/tmp", o.Home) {
		a = append(a, "--perms", "700", "--size", size(tmp), "--tmpfs", o.Home)
	}
	for _, dir := range o.Readable {
		if exists(dir) {
			a = append(a, "--ro-bind", dir, dir)
			a = o.hide(a, dir)
		}
	}
	a = append(a, "--bind", o.Workspace, o.Workspace)
	a = o.hide(a, o.Workspace)
	if below(o.Home, o.Workspace) {
		for _, name := range secretsOfHome {
			a = mask(a, filepath.Join(o.Home, name))
		}
	}
	return a
}

// cover hides parts of the workspace, as the session has it: what the disk has there may be of another kind.
func cover(a []string, list []Covered) []string {
	for _, c := range list {
		switch {
		case c.Readable:
			a = append(a, "--ro-bind", c.Path, c.Path)
		case c.Dir:
			a = emptyDir(a, c.Path)
		default:
			a = emptyFile(a, c.Path)
		}
	}
	return a
}

func emptyDir(a []string, p string) []string {
	return append(a, "--perms", "000", "--size", "4096", "--tmpfs", p, "--remount-ro", p)
}

// emptyFile puts a device there that cannot be opened, because mounts in a sandbox have none.
func emptyFile(a []string, p string) []string { return append(a, "--ro-bind", "/dev/null", p) }

// system shows the directories of the system, links as links.
func (o *Options) system(a []string) []string {
	for _, dir := range systemDirs {
		fi, err := os.Lstat(dir)
		switch {
		case err != nil:
		case fi.Mode()&os.ModeSymlink != 0:
			if target, err := os.Readlink(dir); err == nil {
				a = append(a, "--symlink", target, dir)
			}
		case fi.IsDir():
			a = append(a, "--ro-bind", dir, dir)
			a = o.hide(a, dir)
		}
	}
	return a
}

// hide covers what is hidden below a directory that was just shown.
func (o *Options) hide(a []string, shown string) []string {
	for _, h := range o.Hidden {
		if below(h, shown) {
			a = mask(a, h)
		}
	}
	return a
}

// mask puts an empty directory or file in the place of what is there.
func mask(a []string, p string) []string {
	fi, err := os.Lstat(p)
	switch {
	case err != nil || fi.Mode()&os.ModeSymlink != 0: // what a link leads to is hidden where it is
		return a
	case fi.IsDir():
		return emptyDir(a, p)
	}
	return emptyFile(a, p)
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return err == nil
}

// setupFailure finds bubblewrap's own complaint in what a child said: it ends with status 1 then, as a program may.
func setupFailure(code int, stderr string) (string, bool) {
	line, ok := strings.CutPrefix(stderr, "bwrap: ")
	if code != 1 || !ok {
		return "", false
	}
	line, _, _ = strings.Cut(line, "\n")
	return line, true
}
