package host

import "time"

// mark is a point in the life of a thread.
type mark struct {
	thread int
	cpu    time.Duration // that the thread has used; of no meaning where thread is 0
	wall   time.Time
}

// since is the processor time between two marks. Guest code cannot be moved to another thread, but a host function
// that it calls can be: then the time that passed is the best there is, as it is on systems that do not tell.
func (m mark) since(from mark) time.Duration {
	passed := m.wall.Sub(from.wall)
	if m.thread == 0 || m.thread != from.thread {
		return passed
	}
	return max(0, min(m.cpu-from.cpu, passed))
}

// Resume starts the clock of guest code.
func (i *Instance) Resume() { i.resumed = now() }

// Pause stops it.
func (i *Instance) Pause() { i.used += now().since(i.resumed) }

// CPU is the processor time that guest code of this instance has used until the last Pause. What its machine spent on others is
// not in it, nor is what host functions waited.
func (i *Instance) CPU() time.Duration { return i.used }

// Blocked pauses the clock while the guest waits for something; the returned function resumes it.
func (i *Instance) Blocked() func() {
	i.Pause()
	return i.Resume
}
