package sandbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// The filter is a list of what is forbidden, because programs are many. Namespaces, the missing capabilities and
// no_new_privs are what holds a child; the filter takes the parts of the kernel away that these do not cover (keyrings and
// virtual machine sockets know no namespace) and those that most break-outs of the last years went through.

// forbidden calls fail with EPERM, absent ones with ENOSYS, so that programs use what there was before.
var (
	forbidden = []uint32{
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, // keyrings belong to users, not to namespaces
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT, unix.SYS_ACCT,
		unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		unix.SYS_FANOTIFY_INIT, unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES, unix.SYS_KCMP,
	}
	absent = []uint32{
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
		unix.SYS_CLONE3, // its flags are in memory, where a filter cannot look
	}
	// families of sockets that a child may open besides Unix sockets.
	families = []uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
)

// auditArch names the system call convention of this build.
func auditArch() (uint32, error) {
	switch runtime.GOARCH {
	case "amd64":
		return unix.AUDIT_ARCH_X86_64, nil
	case "arm64":
		return unix.AUDIT_ARCH_AARCH64, nil
	}
	return 0, fmt.Errorf("there is no system call filter for %s", runtime.GOARCH)
}

// Offsets in struct seccomp_data, for little-endian machines.
const (
	offNr   = 0
	offArch = 4
	offArg0 = 16
	offArg1 = 24
)

// filter assembles the program: one block for each rule, each of which ends in an answer.
type filter []unix.SockFilter

func (f *filter) load(off uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off})
}

func (f *filter) answer(a uint32) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a})
}

// unless skips n instructions if the loaded word does not compare.
func (f *filter) unless(compare uint16, k uint32, n int) {
	*f = append(*f, unix.SockFilter{Code: unix.BPF_JMP | compare | unix.BPF_K, K: k, Jf: uint8(n)})
}

func fail(errno uint32) uint32 { return unix.SECCOMP_RET_ERRNO | errno }

// block answers for one system call: as body says of its arguments, or by allowing it.
func (f *filter) block(nr uint32, body func(*filter)) {
	var b filter
	body(&b)
	b.answer(unix.SECCOMP_RET_ALLOW)
	f.unless(unix.BPF_JEQ, nr, len(b))
	*f = append(*f, b...)
}

// seccompProgram is the filter for children, in the form that bubblewrap takes.
func seccompProgram(network bool) ([]byte, error) {
	arch, err := auditArch()
	if err != nil {
		return nil, err
	}
	var f filter
	f.load(offArch)
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1})
	f.answer(fail(uint32(unix.ENOSYS)))
	f.load(offNr)
	f.unless(unix.BPF_JGE, 0x40000000, 1) // the x32 convention
	f.answer(fail(uint32(unix.ENOSYS)))
	for _, nr := range forbidden {
		f.unless(unix.BPF_JEQ, nr, 1)
		f.answer(fail(uint32(unix.EPERM)))
	}
	for _, nr := range absent {
		f.unless(unix.BPF_JEQ, nr, 1)
		f.answer(fail(uint32(unix.ENOSYS)))
	}
	noUserns := func(b *filter) {
		b.load(offArg0)
		b.unless(unix.BPF_JSET, unix.CLONE_NEWUSER, 1)
		b.answer(fail(uint32(unix.EPERM)))
	}
	f.block(unix.SYS_CLONE, noUserns)
	f.block(unix.SYS_UNSHARE, noUserns)
	f.block(unix.SYS_IOCTL, func(b *filter) {
		b.load(offArg1)
		for _, cmd := range []uint32{unix.TIOCSTI, unix.TIOCLINUX} { // typing into a terminal
			b.unless(unix.BPF_JEQ, cmd, 1)
			b.answer(fail(uint32(unix.EPERM)))
		}
	})
	f.block(unix.SYS_SOCKET, func(b *filter) {
		b.load(offArg0)
		ok := families
		if !network { // then there are none but its own
			ok = append([]uint32{unix.AF_UNIX}, ok...)
		}
		for _, fam := range ok {
			b.unless(unix.BPF_JEQ, fam, 1)
			b.answer(unix.SECCOMP_RET_ALLOW)
		}
		b.answer(fail(uint32(unix.EAFNOSUPPORT)))
	})
	f.answer(unix.SECCOMP_RET_ALLOW)
	var buf bytes.Buffer
	err = binary.Write(&buf, binary.NativeEndian, []unix.SockFilter(f))
	return buf.Bytes(), err
}

// memFile is an anonymous file with the given content, to be read from its start.
func memFile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err = f.Write(data); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
