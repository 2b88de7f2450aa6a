package capsule

import "encoding/json"

// keyed reports whether jobs are ordered by key. One worker orders them anyway.
func (m *Mailbox) keyed() bool { return m.opts.OrderBy != "" && m.opts.Workers > 1 }

// key is what keeps calls in order: the ordering field of the payload, else the session.
// Calls without either share one key: their order may matter, and nobody said it does not.
func (m *Mailbox) key(in *Invocation) string {
	if !m.keyed() {
		return ""
	}
	value := in.Session
	var fields map[string]json.RawMessage
	if json.Unmarshal(in.Payload, &fields) == nil {
		if raw, ok := fields[m.opts.OrderBy]; ok && string(raw) != "null" {
			value = string(raw)
			var text string
			if json.Unmarshal(raw, &text) == nil {
				value = text // the same text may be escaped differently
			}
		}
	}
	return in.Principal + "\x00" + value
}

// fifo is a queue that does not keep what was taken out.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int { return len(q.items) - q.head }

func (q *fifo[T]) push(v T) {
	// Moving the rest down when half is used up keeps pushes at constant cost.
	if q.head > 16 && q.head*2 >= len(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

func (q *fifo[T]) pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v
}
