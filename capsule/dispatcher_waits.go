package capsule

import (
	"slices"
	"sync"
)

// waits knows which capsules wait for which, over all calls at once. The chain of one
// call shows cycles within it; this shows those between calls that know nothing of each other: A
// handles one message and calls B, while B handles another and calls A. Neither has a
// worker left to answer, so without it both would hang until their deadlines.
type waits struct {
	workers func(id string) int

	mu      sync.Mutex
	waiting map[string]int            // workers of a capsule that wait in a synchronous call
	on      map[string]map[string]int // who waits for whom, and how often
}

func newWaits(workers func(id string) int) *waits {
	return &waits{workers: workers, waiting: make(map[string]int), on: make(map[string]map[string]int)}
}

// begin notes that the last capsule of chain waits for all of to, until done is called. If that can
// never end, nothing is noted and cycle is the way back to the waiting capsule.
func (w *waits) begin(chain []string, to ...string) (done func(), cycle []string) {
	if len(chain) == 0 || len(to) == 0 {
		return func() {}, nil
	}
	from := chain[len(chain)-1]
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[from]++
	if w.stuck(from) {
		for _, id := range to {
			if path := w.path(id, from, map[string]bool{}); path != nil {
				w.leave(from)
				return nil, append([]string{from}, path...)
			}
		}
	}
	for _, id := range to {
		if w.on[from] == nil {
			w.on[from] = make(map[string]int)
		}
		w.on[from][id]++
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.leave(from)
		for _, id := range to {
			if w.on[from][id]--; w.on[from][id] == 0 {
				delete(w.on[from], id)
			}
		}
		if len(w.on[from]) == 0 {
			delete(w.on, from)
		}
	}, nil
}

func (w *waits) leave(id string) {
	if w.waiting[id]--; w.waiting[id] == 0 {
		delete(w.waiting, id)
	}
}

// stuck reports whether all workers of a capsule wait for others.
func (w *waits) stuck(id string) bool { return w.waiting[id] >= w.workers(id) }

// path finds a way from id to target over capsules that are stuck. target is, or it would
// not be looked for.
func (w *waits) path(id, target string, seen map[string]bool) []string {
	if id == target {
		return []string{id}
	}
	if seen[id] || !w.stuck(id) {
		return nil
	}
	seen[id] = true
	for next := range w.on[id] {
		if rest := w.path(next, target, seen); rest != nil {
			return slices.Insert(rest, 0, id)
		}
	}
	return nil
}
