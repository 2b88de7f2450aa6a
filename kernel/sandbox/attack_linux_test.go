package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The attacks run in the sandbox: this test's own program, copied to the workspace, is the attacker. Each attack returns nil
// and what it got when it got through.

// target is what the attacker is told, which is more than a real one would know.
type target struct {
	Home, Workspace     string // of the victim
	Secret              []byte // bytes, so that the command line does not hold it as it is
	DaemonPID           int
	TCP, Unix, Abstract string
	Outside             string // a directory that is writable outside
	Network             bool   // it was granted
}

const attackEnv = "attack"

func init() {
	if len(os.Args) == 3 && os.Args[1] == attackEnv {
		var t target
		if err := json.Unmarshal([]byte(os.Args[2]), &t); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		for _, a := range attacks {
			got, err := a.try(&t)
			if err == nil {
				fmt.Printf("BREACH\t%s\t%.200q\n", a.name, got)
			} else {
				fmt.Printf("held\t%s\t%v\n", a.name, err)
			}
		}
		os.Exit(0)
	}
}

type attack struct {
	name string
	try  func(t *target) (string, error)
}

func readAttack(name string, path func(t *target) string) attack {
	return attack{name, func(t *target) (string, error) {
		b, err := os.ReadFile(path(t))
		if err == nil && len(b) == 0 {
			err = errors.New("empty")
		}
		return string(b), err
	}}
}

func writeAttack(name string, path func(t *target) string) attack {
	return attack{name, func(t *target) (string, error) {
		f, err := os.OpenFile(path(t), os.O_WRONLY|os.O_CREATE, 0o644)
		if err != nil {
			return "", err
		}
		defer f.Close()
		_, err = f.WriteString("x")
		return "written", err
	}}
}

func fixed(p string) func(*target) string { return func(*target) string { return p } }

func in(dir string, elem ...string) func(*target) string {
	return func(t *target) string {
		base := map[string]string{"home": t.Home, "ws": t.Workspace, "outside": t.Outside}[dir]
		return filepath.Join(append([]string{base}, elem...)...)
	}
}

func sys(name string, call func(t *target) syscall.Errno) attack {
	return attack{name, func(t *target) (string, error) {
		if e := call(t); e != 0 {
			return "", e
		}
		return "the call succeeded", nil
	}}
}

func raw(nr uintptr, args ...uintptr) syscall.Errno {
	var a [6]uintptr
	copy(a[:], args)
	_, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return e
}

func pathArg(s string) uintptr {
	p, _ := unix.BytePtrFromString(s)
	return uintptr(unsafe.Pointer(p))
}

// findSecret looks for the secret in every file below dir, for a while.
func findSecret(t *target, dir string) (string, error) {
	deadline := time.Now().Add(time.Second)
	found := ""
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains(systemDirs, p) {
			return filepath.SkipDir // the machine's own
		}
		if err != nil || !d.Type().IsRegular() || time.Now().After(deadline) {
			return nil
		}
		f, err := os.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil
		}
		defer f.Close()
		b, _ := io.ReadAll(io.LimitReader(f, 1<<16))
		if bytes.Contains(b, t.Secret) {
			found = p
			return filepath.SkipAll
		}
		return nil
	})
	if found == "" {
		return "", errors.New("not found")
	}
	return found, nil
}

func linked(name string, link func(t *target) string) attack {
	return attack{name, func(t *target) (string, error) {
		p := filepath.Join(t.Workspace, "link-"+strings.ReplaceAll(name, " ", "-"))
		if err := os.Symlink(link(t), p); err != nil {
			return "", err
		}
		b, err := os.ReadFile(p)
		return string(b), err
	}}
}

var attacks = []attack{
	// Files of Astrid and of the user.
	readAttack("runtime key", in("home", "keys", "runtime.key")),
	readAttack("socket token", in("home", "run", "system.token")),
	readAttack("another principal's home", in("home", "home", "alice", "note.txt")),
	readAttack("key through /proc/self/root", func(t *target) string { return "/proc/self/root" + t.Home + "/keys/runtime.key" }),
	readAttack("key through /proc/1/root", func(t *target) string { return "/proc/1/root" + t.Home + "/keys/runtime.key" }),
	readAttack("key through the working directory", func(t *target) string {
		return "/proc/self/cwd/" + strings.Repeat("../", 12) + t.Home + "/keys/runtime.key"
	}),
	readAttack("key through dots", func(t *target) string {
		return t.Workspace + strings.Repeat("/..", 20) + t.Home + "/keys/runtime.key"
	}),
	readAttack("key through double slashes", func(t *target) string { return "//" + t.Home + "//keys//runtime.key" }),
	linked("absolute link to the key", in("home", "keys", "runtime.key")),
	linked("relative link to the key", func(t *target) string {
		return strings.Repeat("../", strings.Count(t.Workspace, "/")) + t.Home[1:] + "/keys/runtime.key"
	}),
	{"link to the home's parent", func(t *target) (string, error) {
		p := filepath.Join(t.Workspace, "parent")
		if err := os.Symlink(filepath.Dir(t.Home), p); err != nil {
			return "", err
		}
		b, err := os.ReadFile(filepath.Join(p, filepath.Base(t.Home), "keys", "runtime.key"))
		return string(b), err
	}},
	{"hard link to the key", func(t *target) (string, error) {
		return "linked", os.Link(filepath.Join(t.Home, "keys", "runtime.key"), filepath.Join(t.Workspace, "hard"))
	}},
	{"rename the workspace away", func(t *target) (string, error) { return "moved", os.Rename(t.Workspace, t.Workspace+"2") }},
	{"list what lies beside the workspace", func(t *target) (string, error) {
		e, err := os.ReadDir(filepath.Dir(t.Workspace))
		if err == nil && len(e) == 1 {
			err = errors.New("only the workspace")
		}
		return fmt.Sprint(e), err
	}},
	{"secret anywhere but in /proc", func(t *target) (string, error) {
		dirs, err := os.ReadDir("/")
		for _, d := range dirs {
			if d.Name() == "proc" {
				continue
			}
			if p, err := findSecret(t, "/"+d.Name()); err == nil {
				return p, nil
			}
		}
		return "", errors.Join(err, errors.New("not found"))
	}},
	{"secret in /proc", func(t *target) (string, error) { return findSecret(t, "/proc") }},
	{"secret in the environment", func(t *target) (string, error) {
		if env := strings.Join(os.Environ(), "\n"); strings.Contains(env, string(t.Secret)) || strings.Contains(env, "ASTRID_HOME") {
			return env, nil
		}
		return "", errors.New("clean")
	}},
	{"environment of process 1", func(t *target) (string, error) {
		b, err := os.ReadFile("/proc/1/environ")
		if err == nil && !bytes.Contains(b, t.Secret) {
			err = errors.New("no secret in it")
		}
		return string(b), err
	}},
	readAttack("shadow", fixed("/etc/shadow")),
	readAttack("ssh host key", fixed("/etc/ssh/ssh_host_ed25519_key")),
	{"the user's home", func(t *target) (string, error) {
		h, _ := os.UserHomeDir()
		e, err := os.ReadDir(h)
		if err == nil && !slices.ContainsFunc(e, func(d os.DirEntry) bool { return d.Name() != filepath.Base(t.Workspace) }) {
			err = errors.New("empty")
		}
		return fmt.Sprint(h, e), err
	}},
	writeAttack("write outside", in("outside", "x")),
	writeAttack("write to /usr", fixed("/usr/bin/astrid-attack")),
	writeAttack("write to /etc", fixed("/etc/astrid-attack")),
	writeAttack("replace passwd", fixed("/etc/passwd")),
	writeAttack("write to /", fixed("/astrid-attack")),
	writeAttack("write to /dev", fixed("/dev/astrid-attack")),
	writeAttack("write to the program of the daemon", fixed("/proc/1/exe")),

	// The kernel's settings and devices.
	writeAttack("core_pattern", fixed("/proc/sys/kernel/core_pattern")),
	writeAttack("sysrq", fixed("/proc/sysrq-trigger")),
	writeAttack("drop_caches", fixed("/proc/sys/vm/drop_caches")),
	writeAttack("modprobe path", fixed("/proc/sys/kernel/modprobe")),
	writeAttack("pid_max", fixed("/proc/sys/kernel/pid_max")),
	writeAttack("mtrr", fixed("/proc/mtrr")),
	readAttack("kcore", fixed("/proc/kcore")),
	readAttack("keys of the user", fixed("/proc/keys")),
	readAttack("kernel log", fixed("/dev/kmsg")),
	readAttack("memory", fixed("/dev/mem")),
	readAttack("disk", fixed("/dev/vda")),
	readAttack("sysfs", fixed("/sys/kernel/notes")),
	readAttack("cgroups", fixed("/sys/fs/cgroup/cgroup.procs")),
	sys("make a device", func(t *target) syscall.Errno {
		return toErrno(unix.Mknod(filepath.Join(t.Workspace, "disk"), unix.S_IFBLK|0o666, int(unix.Mkdev(8, 0))))
	}),

	// Other processes.
	readAttack("memory map of the daemon", func(t *target) string { return fmt.Sprintf("/proc/%d/maps", t.DaemonPID) }),
	{"the daemon's /proc entry", func(t *target) (string, error) {
		for _, name := range []string{"environ", "cmdline", "status", "exe", "cwd", "root", "fd", "mem"} {
			p := fmt.Sprintf("/proc/%d/%s", t.DaemonPID, name)
			if fi, err := os.Lstat(p); err == nil {
				b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", t.DaemonPID))
				if strings.Contains(string(b), attackEnv) {
					continue // by chance a process of ours
				}
				return p + fi.Mode().String(), nil
			}
		}
		return "", errors.New("not there")
	}},
	{"processes that are not ours", func(t *target) (string, error) {
		e, err := os.ReadDir("/proc")
		n := 0
		for _, d := range e {
			if _, err := strconv.Atoi(d.Name()); err == nil {
				n++
			}
		}
		if n <= 3 { // bubblewrap's process 1, and this one
			err = fmt.Errorf("%d processes", n)
		}
		return fmt.Sprint(n), err
	}},
	sys("kill the daemon", func(t *target) syscall.Errno { return toErrno(unix.Kill(t.DaemonPID, 0)) }),
	sys("kill everybody", func(*target) syscall.Errno { return toErrno(unix.Kill(-1, 0)) }),
	sys("trace the daemon", func(t *target) syscall.Errno { return raw(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(t.DaemonPID)) }),
	sys("read the daemon's memory", func(t *target) syscall.Errno {
		b := make([]byte, 8)
		_, err := unix.ProcessVMReadv(t.DaemonPID, []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x400000, Len: 8}}, 0)
		return toErrno(err)
	}),
	{"files that were left open", func(*target) (string, error) {
		e, err := os.ReadDir("/proc/self/fd")
		for _, d := range e {
			n, _ := strconv.Atoi(d.Name())
			to, lerr := os.Readlink("/proc/self/fd/" + d.Name())
			if n > 2 && lerr == nil && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "anon_inode:") {
				return to, err
			}
		}
		return "", errors.New("none")
	}},

	// Getting more than one has.
	{"capabilities", func(*target) (string, error) {
		b, err := os.ReadFile("/proc/self/status")
		for _, l := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(l, "Cap") && !strings.HasSuffix(l, "\t0000000000000000") || l == "NoNewPrivs:\t0" || l == "Seccomp:\t0" {
				return l, err
			}
		}
		return "", errors.New("none")
	}},
	sys("become root", func(*target) syscall.Errno {
		if os.Getuid() == 0 {
			return unix.EPERM // it is called root, without capabilities
		}
		return raw(unix.SYS_SETUID, 0)
	}),
	sys("user namespace", func(*target) syscall.Errno { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }),
	sys("mount namespace", func(*target) syscall.Errno { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWNS) }),
	sys("clone a user namespace", func(*target) syscall.Errno {
		cmd := exec.Command("/proc/self/exe", "none")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		return toErrno(cmd.Start())
	}),
	sys("clone3", func(*target) syscall.Errno { return raw(unix.SYS_CLONE3, 0, 0) }),
	sys("join the namespace of process 1", func(*target) syscall.Errno {
		fd, err := unix.Open("/proc/1/ns/mnt", unix.O_RDONLY, 0)
		if err != nil {
			return toErrno(err)
		}
		return raw(unix.SYS_SETNS, uintptr(fd), 0)
	}),
	sys("mount", func(t *target) syscall.Errno { return toErrno(unix.Mount("none", t.Workspace, "tmpfs", 0, "")) }),
	sys("remount / writable", func(*target) syscall.Errno {
		return toErrno(unix.Mount("", "/usr", "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	}),
	sys("unmount what hides", func(*target) syscall.Errno { return toErrno(unix.Unmount("/proc/sys", unix.MNT_DETACH)) }),
	sys("open_tree", func(*target) syscall.Errno { return raw(unix.SYS_OPEN_TREE, 0, pathArg("/"), 1) }),
	sys("pivot_root", func(t *target) syscall.Errno { return toErrno(unix.PivotRoot(t.Workspace, t.Workspace)) }),
	sys("chroot", func(t *target) syscall.Errno { return toErrno(unix.Chroot(t.Workspace)) }),
	sys("file by handle", func(*target) syscall.Errno { return raw(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0) }),
	sys("keyring", func(*target) syscall.Errno { return raw(unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID, 0xfffffffc, 0) }),
	sys("add a key", func(*target) syscall.Errno {
		return raw(unix.SYS_ADD_KEY, pathArg("user"), pathArg("k"), pathArg("v"), 1, 0xfffffffc)
	}),
	sys("bpf", func(*target) syscall.Errno { return raw(unix.SYS_BPF, 0, 0, 0) }),
	sys("perf events", func(*target) syscall.Errno { return raw(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0) }),
	sys("userfaultfd", func(*target) syscall.Errno { return raw(unix.SYS_USERFAULTFD, 0) }),
	sys("io_uring", func(*target) syscall.Errno {
		return raw(unix.SYS_IO_URING_SETUP, 1, pathArg(strings.Repeat("\x00", 120)))
	}),
	sys("load a module", func(*target) syscall.Errno { return raw(unix.SYS_FINIT_MODULE, 0, pathArg(""), 0) }),
	sys("reboot", func(*target) syscall.Errno { return raw(unix.SYS_REBOOT, 0, 0, 0) }),
	sys("set the clock", func(*target) syscall.Errno { return raw(unix.SYS_SETTIMEOFDAY, 0, 0) }),
	sys("type into a terminal", func(*target) syscall.Errno { return raw(unix.SYS_IOCTL, 0, unix.TIOCSTI, pathArg("x")) }),
	sys("type into a terminal, with a high bit", func(*target) syscall.Errno {
		return raw(unix.SYS_IOCTL, 0, unix.TIOCSTI|1<<32, pathArg("x"))
	}),
	{"a terminal of ours", func(*target) (string, error) {
		_, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		return "/dev/tty", err
	}},
	sys("raise a limit", func(*target) syscall.Errno {
		var r unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &r); err != nil || r.Max == unix.RLIM_INFINITY {
			return 0
		}
		r.Max++
		return toErrno(unix.Setrlimit(unix.RLIMIT_FSIZE, &r))
	}),

	// The network and sockets.
	{"a server on the machine", func(t *target) (string, error) {
		if t.Network {
			return "", errors.New("granted")
		}
		c, err := net.DialTimeout("tcp", t.TCP, time.Second)
		if err == nil {
			c.Close()
		}
		return "connected", err
	}},
	{"the internet", func(t *target) (string, error) {
		if t.Network {
			return "", errors.New("granted")
		}
		_, err := net.DialTimeout("udp", "192.0.2.1:53", time.Second)
		return "connected", err
	}},
	{"a Unix socket", func(t *target) (string, error) {
		_, err := net.DialTimeout("unix", t.Unix, time.Second)
		return "connected", err
	}},
	{"an abstract Unix socket", func(t *target) (string, error) {
		_, err := net.DialTimeout("unix", t.Abstract, time.Second)
		return "connected", err
	}},
	sys("a socket of a virtual machine", func(*target) syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0) }),
	sys("a packet socket", func(*target) syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_PACKET, unix.SOCK_RAW, 0) }),
	sys("a crypto socket", func(*target) syscall.Errno { return raw(unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0) }),
	sys("a raw socket", func(*target) syscall.Errno {
		return raw(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	}),
}

func toErrno(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e
	}
	return syscall.EINVAL
}

// TestAttacks runs all of them, as the user who tests and, for root, as another one too; without and with the network.
func TestAttacks(t *testing.T) {
	needBox(t)
	t.Setenv("SOME_API_KEY", secretText) // the environment of the daemon
	for _, network := range []bool{false, true} {
		t.Run(fmt.Sprintf("network %v", network), func(t *testing.T) { runAttacks(t, network) })
	}
	if os.Getuid() == 0 && os.Getenv(asNobody) == "" {
		t.Run("unprivileged", func(t *testing.T) { asOther(t, "TestAttacks") })
	}
}

const (
	secretText = "a5c9-very-secret-41fe"
	asNobody   = "ASTRID_TEST_AS_NOBODY"
)

// asOther runs a test of this program as a user without rights.
func asOther(t *testing.T, test string) {
	t.Helper()
	dir := openDir(t)
	self := filepath.Join(dir, "test")
	copyFile(t, "/proc/self/exe", self)
	ok(t, os.Chown(dir, 65534, 65534))
	cmd := exec.Command(self, "-test.run", "^"+test+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asNobody+"=1", "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as another user: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+test) {
		t.Fatalf("as another user it did not pass:\n%s", out)
	}
}

func runAttacks(t *testing.T, network bool) {
	w := newWorld(t)
	tgt := target{Workspace: w.o.Workspace, Home: filepath.Join(w.dir, "astrid"), Secret: []byte(secretText), DaemonPID: os.Getpid(), Outside: filepath.Join(w.dir, "outside"), Network: network}
	for name, text := range map[string]string{"keys/runtime.key": secretText, "run/system.token": secretText, "home/alice/note.txt": secretText} {
		p := filepath.Join(tgt.Home, name)
		ok(t, os.MkdirAll(filepath.Dir(p), 0o755))
		ok(t, os.WriteFile(p, []byte(text), 0o644))
	}
	ok(t, os.Mkdir(tgt.Outside, 0o777))
	tgt.Unix, tgt.Abstract = filepath.Join(tgt.Outside, "s.sock"), "@astrid-test-"+strconv.Itoa(os.Getpid())
	for _, l := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", tgt.Unix}, {"unix", tgt.Abstract}} {
		ln, err := net.Listen(l[0], l[1])
		ok(t, err)
		defer ln.Close()
		if l[0] == "tcp" {
			tgt.TCP = ln.Addr().String()
		}
		c, err := net.Dial(l[0], ln.Addr().String()) // outside it answers
		ok(t, err)
		c.Close()
	}
	w.o.Hidden = []string{tgt.Home}
	w.o.Environ = append(os.Environ(), "ASTRID_HOME="+tgt.Home)
	w.o.Home = w.dir // the user's home contains all of this
	b := w.open()
	self := filepath.Join(w.o.Workspace, "attacker")
	copyFile(t, "/proc/self/exe", self)
	arg, err := json.Marshal(tgt)
	ok(t, err)
	c, err := b.Start(Command{Path: self, Argv: []string{"attacker", attackEnv, string(arg)}, Network: network})
	ok(t, err)
	code, out := finish(t, c)
	held := map[string]bool{}
	for _, line := range strings.Split(out, "\n") {
		f := strings.Split(line, "\t")
		switch {
		case f[0] == "BREACH":
			t.Error(line)
		case f[0] == "held":
			held[f[1]] = true
			t.Log(line)
		}
	}
	for _, a := range attacks {
		if !held[a.name] && !strings.Contains(out, "BREACH\t"+a.name+"\t") {
			t.Errorf("%q was not tried (status %d): %.2000s", a.name, code, out)
		}
	}
	// What came of it, outside.
	for _, p := range []string{tgt.Outside, "/usr/bin/astrid-attack", "/etc/astrid-attack"} {
		if e, err := os.ReadDir(p); err == nil && len(e) != 1 || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v %v", p, e, err)
		}
	}
	if e, _ := os.ReadDir(w.o.Workspace); len(e) != 1 {
		t.Errorf("the workspace itself changed: %v", e)
	}
}

// TestBreaks: with the sandbox off, the attacks on files, processes and sockets get through. Otherwise the test above would show nothing.
func TestBreaks(t *testing.T) {
	needBox(t)
	dir := openDir(t)
	p := filepath.Join(dir, "keys")
	ok(t, os.WriteFile(p, []byte(secretText), 0o644))
	tgt := &target{Home: dir, Workspace: dir, Secret: []byte(secretText), DaemonPID: os.Getpid(), Outside: dir}
	for _, name := range []string{"write outside", "kill the daemon", "the daemon's /proc entry", "processes that are not ours", "secret anywhere but in /proc"} {
		i := slices.IndexFunc(attacks, func(a attack) bool { return a.name == name })
		if name == "secret anywhere but in /proc" {
			if _, err := findSecret(tgt, dir); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, err := attacks[i].try(tgt); err != nil {
			t.Errorf("%s fails outside of the sandbox, too: %v", name, err)
		}
	}
}

func needBox(t testing.TB) {
	t.Helper()
	r := Probe(context.Background())
	if r.Available {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no sandbox here: %s. %s", r.Problem, r.Remedy)
	}
	t.Skipf("no sandbox here: %s. %s", r.Problem, r.Remedy)
}
