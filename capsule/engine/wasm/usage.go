package wasm

import (
	"sync/atomic"
	"time"
)

// Usage counts what the guests of one capsule use. It may be read at any time.
type Usage struct {
	instances atomic.Int64
	memory    atomic.Int64
	cpu       atomic.Int64
}

// Instances is how many instances live now.
func (u *Usage) Instances() int { return int(u.instances.Load()) }

// Memory is the linear memory of the live instances, in bytes.
func (u *Usage) Memory() uint64 { return uint64(max(u.memory.Load(), 0)) }

// CPU is the time spent in guest code since the capsule was loaded.
func (u *Usage) CPU() time.Duration { return time.Duration(u.cpu.Load()) }
