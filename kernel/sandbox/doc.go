// Package sandbox runs programs that see a session's files and little else.
//
// A [Box] is the sandbox of one session, a [Child] a program in it. On Linux a box has a keeper: this very program, started again
// under another name in user, mount and process namespaces of its own. The keeper mounts the session's overlay over the path of
// the workspace, hands the mounted directory to the daemon, and starts each child under bubblewrap, which takes the overlay over
// into a view of its own. A box is one mount, because two overlay mounts of one upper directory are undefined.
//
// What holds a child, on Linux:
//
//   - It sees the system's directories and a list of files of /etc, read only; the workspace through the overlay; an empty home and
//     an empty /tmp of its own; a minimal /dev; a /proc of its own processes in which the settings of the machine are read only.
//     [Options].Hidden is seen by nobody, and what [Command].Covered names of the workspace is there, but empty and closed.
//   - It has no capability, no way to get one (no_new_privs), no user namespace to get one in, and a filter that takes keyrings,
//     bpf, io_uring, mounts, odd sockets and the like away.
//   - It has no network but a loopback of its own. With [Command].Network it has the machine's, and no Unix sockets then, because
//     abstract ones belong to a network namespace. Seccomp looks at the call, not at the address.
//   - Its environment is made from a list of names; no open file is inherited.
//   - Limits of the keeper bound memory, processor time, file size and open files of each process, and the number of all.
//   - The keeper is process 1 of its namespace, and each child has a namespace below: the end of either is the end of all in it,
//     and is waited for. Keeper and bubblewrap die with the thread that started them, so kill -9 of the daemon leaves nothing.
//
// On macOS a child runs under Seatbelt, reads the workspace itself and writes only to a directory of its own: there is no overlay
// mount. Elsewhere, and where bubblewrap or namespaces are not available, [Open] fails with [ErrUnavailable] and the remedy.
// Landlock is no substitute: it restricts a process's files but cannot give it the session's view of them, nor hide processes, nor end
// them with the daemon.
//
// What was tried against it is in attack_linux_test.go, some 80 attacks as root and as another user, with and without network:
// Astrid's keys, socket token and other principals' homes by path, link, hard link, /proc/self/root, /proc/1/root, cwd and dots;
// secrets in the environment and in other processes'; writing to the system, /proc/sys, sysrq, core_pattern and the daemon's program;
// disks, memory and kernel log; seeing, killing, tracing and reading the daemon; inherited descriptors; namespaces by unshare,
// clone, clone3 and setns; mounts old and new; handles, keyrings, bpf, perf, userfaultfd, io_uring, modules, clocks, TIOCSTI (with
// high bits, too); raising limits; TCP, UDP, Unix sockets with a path and abstract ones, vsock, packet, crypto and raw sockets.
// Two of them got through at first: /proc/sys was writable for children of root, and what a program had left behind outlived it
// for a moment.
//
// What is not held: a child reads all of the workspace that is not covered when it starts, so also what the user links into it from
// outside while it runs; it sees the names of users and
// what the system's directories show everybody; it can use the processor that its limits allow. Programs of 32 bits do not run.
package sandbox
