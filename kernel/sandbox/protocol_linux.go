package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Daemon and keeper talk over a socket pair that keeps messages apart. A message is a small JSON record and, with some, open
// files. What may be long (an argument vector) is in a file.

// The messages, by Op. From the daemon: open (the first one), spawn, kill, refresh. From the keeper: ready, started, exited,
// refreshed; an Err in them says that it went wrong.
const (
	opOpen      = "open"
	opSpawn     = "spawn" // with files: record of the command, stdin, stdout, stderr, and perhaps a filter
	opKill      = "kill"
	opRefresh   = "refresh"
	opReady     = "ready" // with a file: the mounted directory
	opStarted   = "started"
	opExited    = "exited"
	opRefreshed = "refreshed"
)

type message struct {
	Op   string `json:"op"`
	ID   uint64 `json:"id,omitempty"`
	Code int    `json:"code,omitempty"`
	Err  string `json:"err,omitempty"`
	// Denied: the system does not let us do this, rather than that it failed.
	Denied bool `json:"denied,omitempty"`

	Workspace string `json:"workspace,omitempty"` // of open
	Upper     string `json:"upper,omitempty"`
	Work      string `json:"work,omitempty"`
	Limits    Limits `json:"limits,omitzero"`
}

// record is the command of a spawn.
type record struct {
	Argv []string `json:"argv"`
	Env  []string `json:"env"`
}

// maxMessage bounds a message without its files: a few paths.
const maxMessage = 32 << 10

// link is one end of the socket pair.
type link struct{ conn *net.UnixConn }

// newLinks makes a pair: one end for this process, the other as a file for the keeper.
func newLinks() (link, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return link{}, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "keeper")
	l, err := newLink(os.NewFile(uintptr(fds[0]), "daemon"))
	if err != nil {
		theirs.Close()
		return link{}, nil, err
	}
	return l, theirs, nil
}

// newLink takes over one end.
func newLink(f *os.File) (link, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return link{}, err
	}
	return link{c.(*net.UnixConn)}, nil
}

// send is safe for concurrent use. The files stay open here.
func (l link) send(m message, files ...*os.File) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) > maxMessage {
		return fmt.Errorf("message of %d bytes, at most %d", len(b), maxMessage)
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err = l.conn.WriteMsgUnix(b, oob, nil)
	return err
}

var errGone = errors.New("the other end is gone")

// receive returns the next message and the files that came with it.
func (l link) receive() (message, []*os.File, error) {
	var m message
	b, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(8*4))
	n, on, flags, _, err := l.conn.ReadMsgUnix(b, oob)
	if err != nil {
		return m, nil, err
	}
	if n == 0 {
		return m, nil, errGone
	}
	files, err := filesOf(oob[:on])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message was cut")
	}
	if err == nil {
		err = json.Unmarshal(b[:n], &m)
	}
	if err != nil {
		closeAll(files)
		return m, nil, err
	}
	return m, files, nil
}

func filesOf(oob []byte) ([]*os.File, error) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range msgs {
		fds, err := syscall.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}
