package ipc

// queue is a ring of messages that grows up to a bound. It is not safe for concurrent use.
type queue struct {
	buf   []*Message
	head  int
	n     int
	limit int
	room  *Room
}

const firstQueueSize = 16

// push appends m. It tells whether there was room for it.
func (q *queue) push(m *Message) bool {
	if q.n >= q.limit || !q.room.take(m) {
		return false
	}
	if q.n == len(q.buf) {
		q.grow()
	}
	i := q.head + q.n
	if i >= len(q.buf) {
		i -= len(q.buf)
	}
	q.buf[i] = m
	q.n++
	return true
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
	q.room.give(m)
	return m
}

// clear drops all that waits.
func (q *queue) clear() {
	for q.n > 0 {
		q.pop()
	}
	q.buf, q.head = nil, 0
}

func (q *queue) grow() {
	size := min(max(2*len(q.buf), firstQueueSize), q.limit)
	buf := make([]*Message, size)
	k := copy(buf, q.buf[q.head:])
	copy(buf[k:], q.buf[:q.head])
	q.buf, q.head = buf, 0
}
