package ipc

// queue is a ring of messages that grows up to a bound. It is not safe for concurrent use.
type queue struct {
	buf   []*Message
	head  int
	n     int
	limit int
}

const firstQueueSize = 16

func (q *queue) full() bool { return q.n >= q.limit }

// push appends m. The queue must not be full.
func (q *queue) push(m *Message) {
	if q.n == len(q.buf) {
		q.grow()
	}
	i := q.head + q.n
	if i >= len(q.buf) {
		i -= len(q.buf)
	}
	q.buf[i] = m
	q.n++
}

// pop removes the oldest message. The queue must not be empty.
func (q *queue) pop() *Message {
	m := q.buf[q.head]
	q.buf[q.head] = nil // let the collector have it
	q.head++
	if q.head == len(q.buf) {
		q.head = 0
	}
	q.n--
	return m
}

func (q *queue) grow() {
	size := min(max(2*len(q.buf), firstQueueSize), q.limit)
	buf := make([]*Message, size)
	k := copy(buf, q.buf[q.head:])
	copy(buf[k:], q.buf[:q.head])
	q.buf, q.head = buf, 0
}
