package capsule

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLargeInstancesGo: an idle instance that has grown large goes if the capsule may have several; a small one, and one
// that messages may count on, stays.
func TestLargeInstancesGo(t *testing.T) {
	for _, c := range []struct {
		size  int64
		spare bool
		stay  int64
	}{{largeInstance, true, 0}, {largeInstance - 1, true, 1}, {largeInstance, false, 1}} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{size: c.size}
			p := pool{engine: s, idle: 30 * time.Second, spare: c.spare}
			use := func() {
				inst, err := p.get(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				p.put(inst)
			}
			use()
			time.Sleep(20 * time.Second)
			use() // it is in use: its time begins anew
			time.Sleep(20 * time.Second)
			if s.live.Load() != 1 || s.made.Load() != 1 {
				t.Errorf("%+v: %d live of %d made while it is used", c, s.live.Load(), s.made.Load())
			}
			time.Sleep(11 * time.Second)
			if s.live.Load() != c.stay {
				t.Errorf("%+v: %d live when idle", c, s.live.Load())
			}
			use()
			if s.live.Load() != 1 || p.live.Load() != 1 {
				t.Errorf("%+v: %d live when needed again, %d counted", c, s.live.Load(), p.live.Load())
			}
			time.Sleep(time.Minute)
			if err := p.close(); err != nil || s.live.Load() != 0 || s.broken.Load() != nil {
				t.Errorf("%+v: %d live at the end, %v", c, s.live.Load(), err)
			}
		})
	}
}
