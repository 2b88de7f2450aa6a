package approval

import "sync/atomic"

// Stats counts decisions since the start.
type Stats struct {
	Plain, Message, Guarded uint64 // allowed, by class
	Denied                  uint64
	Deferred                uint64
	AuditFailed             uint64
	Cancelled               uint64
	Braked                  uint64 // refused without an entry of their own
}

type counters struct {
	light                                           [3]atomic.Uint64 // by class; Guarded's place counts allowed guarded calls
	denied, deferred, auditFailed, canceled, braked atomic.Uint64
}

// Stats returns the counters.
func (i *Interceptor) Stats() Stats {
	c := &i.counters
	return Stats{
		Plain: c.light[Plain].Load(), Message: c.light[Message].Load(), Guarded: c.light[Guarded].Load(),
		Denied: c.denied.Load(), Deferred: c.deferred.Load(), AuditFailed: c.auditFailed.Load(),
		Cancelled: c.canceled.Load(), Braked: c.braked.Load(),
	}
}
