package storage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// watchBuffer is how many events may wait for a watcher before it counts as too slow.
const watchBuffer = 1024

// hub hands committed changes to watchers. publish never blocks: the engine's commits do not wait for readers.
type hub struct {
	mu       sync.Mutex
	closed   bool
	watchers map[*watcher]struct{}
}

type watcher struct {
	prefix string
	ch     chan Event // one slot larger than watchBuffer, kept free for Lost
	stop   func() bool
}

func (h *hub) watch(ctx context.Context, prefix string) (<-chan Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	w := &watcher{prefix: prefix, ch: make(chan Event, watchBuffer+1)}
	if h.watchers == nil {
		h.watchers = map[*watcher]struct{}{}
	}
	h.watchers[w] = struct{}{}
	w.stop = context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.dropLocked(w)
	})
	return w.ch, nil
}

func (h *hub) dropLocked(w *watcher) {
	if _, ok := h.watchers[w]; !ok {
		return
	}
	delete(h.watchers, w)
	close(w.ch)
	w.stop()
}

// publish reports the writes of one transaction, in key order.
func (h *hub) publish(writes map[string]write) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watchers) == 0 || len(writes) == 0 {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(writes)) {
		ev := Event{Kind: Stored, Key: key, Value: writes[key].val}
		if writes[key].deleted {
			ev.Kind = Deleted
		} else {
			ev.Value = copyOf(ev.Value)
		}
		for w := range h.watchers {
			if !strings.HasPrefix(key, w.prefix) {
				continue
			}
			if len(w.ch) >= watchBuffer {
				w.ch <- Event{Kind: Lost}
				h.dropLocked(w)
				continue
			}
			w.ch <- ev
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		h.dropLocked(w)
	}
}
