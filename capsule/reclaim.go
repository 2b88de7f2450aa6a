package capsule

import (
	"runtime/debug"
	"sync"
	"time"
)

// reclaimAfter is how long memory that instances have left waits to be given back, so that pools
// which shrink at the same time cause one collection.
const reclaimAfter = 5 * time.Second

// reclaimer gives memory back to the system. A daemon that has become idle allocates nothing, so the
// collector would run two minutes later and return little by little what a peak had needed.
type reclaimer struct {
	mu      sync.Mutex
	pending bool
}

var memory reclaimer

// soon plans a collection unless one is planned.
func (r *reclaimer) soon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending {
		return
	}
	r.pending = true
	time.AfterFunc(reclaimAfter, func() {
		r.mu.Lock()
		r.pending = false
		r.mu.Unlock()
		debug.FreeOSMemory()
	})
}
