package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
)

// chunkSize is how much a worker gets at a time, in bytes: enough to make handing it over cheap.
const chunkSize = 128 << 10

// chunk is some whole lines of one file.
type chunk struct {
	principal string
	file      string
	first     int // number of its first line
	data      []byte
	out       []checked
	done      chan struct{}
}

// verifier shares workers among chains.
type verifier struct {
	ctx     context.Context
	opt     VerifyOptions
	trusted map[Key]bool
	workers int
	jobs    chan *chunk
}

func newVerifier(ctx context.Context, o VerifyOptions, trusted map[Key]bool) *verifier {
	v := &verifier{ctx: ctx, opt: o, trusted: trusted, workers: o.Workers}
	if v.workers <= 0 {
		v.workers = runtime.GOMAXPROCS(0)
	}
	if v.opt.MaxFindings <= 0 {
		v.opt.MaxFindings = 100
	}
	v.jobs = make(chan *chunk, 2*v.workers)
	for range v.workers {
		go func() {
			for c := range v.jobs {
				v.check(c)
				close(c.done)
			}
		}()
	}
	return v
}

func (v *verifier) stop() { close(v.jobs) }

func (v *verifier) check(c *chunk) {
	for no, rest := c.first, c.data; len(rest) > 0 && v.ctx.Err() == nil; no++ {
		line, next, whole := bytes.Cut(rest, []byte("\n"))
		rest = next
		if !whole {
			c.out = append(c.out, checked{line: no, bad: NotAnEntry, detail: fmt.Sprintf("%d bytes without newline", len(line))})
			return
		}
		c.out = append(c.out, checkLine(c.principal, line, no, v.trusted))
	}
}

// read cuts a segment into chunks of whole lines, and hands each to the workers and to
// the stitcher's queue.
func (v *verifier) read(store Store, principal, name string, queue chan<- *chunk) error {
	src, err := store.Open(v.ctx, principal, name)
	if err != nil {
		return err
	}
	defer src.Close()
	return v.cut(io.NewSectionReader(src, 0, src.Size()), func(first int, data []byte) error {
		c := &chunk{principal: principal, file: name, first: first, data: data, done: make(chan struct{})}
		return v.submit(c, queue)
	})
}

func (v *verifier) submit(c *chunk, queue chan<- *chunk) error {
	select {
	case v.jobs <- c:
	case <-v.ctx.Done():
		return v.ctx.Err()
	}
	queue <- c
	return nil
}

// cut calls f for consecutive runs of whole lines; the last may lack its newline. An
// empty file is one empty run.
func (v *verifier) cut(r io.Reader, f func(first int, data []byte) error) error {
	br := bufio.NewReaderSize(r, chunkSize)
	for first, some := 1, false; ; {
		data := make([]byte, chunkSize)
		n, err := io.ReadFull(br, data)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		data = data[:n]
		if n == chunkSize && data[n-1] != '\n' {
			rest, err := readLine(br)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			data = append(data, rest...)
		}
		if len(data) == 0 && some {
			return nil
		}
		if err := f(first, data); err != nil {
			return err
		}
		some = true
		first += bytes.Count(data, []byte("\n"))
		if n < chunkSize {
			return nil
		}
	}
}
