package host

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// now asks without telling Go's scheduler: both calls return at once, and a thread must not lose its processor for them.
func now() mark {
	m := mark{wall: time.Now()}
	var ts unix.Timespec
	if _, _, e := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&ts)), 0); e != 0 {
		return m
	}
	thread, _, _ := unix.RawSyscall(unix.SYS_GETTID, 0, 0, 0)
	m.thread, m.cpu = int(thread), time.Duration(ts.Nano())
	return m
}
