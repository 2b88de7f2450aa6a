package wasm

import "bytes"

// maxLine bounds a line of a guest's standard output, in bytes.
const maxLine = 4 << 10

// lineWriter turns a guest's standard output and error into log lines. A panic of a
// guest prints there, so it must not be lost.
type lineWriter struct {
	emit func(line string)
	over func() error // not nil once the call is over
	buf  []byte
}

// flush emits a line that was not ended.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.emit(string(w.buf))
	}
	w.buf = w.buf[:0]
}

// Write fails only once the call is over: a guest must not be able to tell how its output is kept.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	if err := w.over(); err != nil {
		return 0, err
	}
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		if room := maxLine - len(w.buf); len(line) >= room {
			line, rest, ended = p[:room], p[room:], true
		}
		w.buf = append(w.buf, line...)
		if ended {
			w.flush()
			if err := w.over(); err != nil {
				return n - len(rest), err
			}
		}
		p = rest
	}
	return n, nil
}
