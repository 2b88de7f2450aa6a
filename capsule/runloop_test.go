package capsule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// states makes an option that writes down each change of state.
func states(j *journal) Options {
	return Options{OnState: func(_ *Capsule, s State, _ string) { j.add("%s", s) }}
}

func TestRunLoopGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		var runs []time.Duration
		start := time.Now()
		e := &script{run: func(context.Context) error {
			runs = append(runs, time.Since(start))
			return errors.New("crashed")
		}}
		w := newWorld(t)
		defer w.close()
		c := w.make(manifest("loop", "a.b x"), e, states(&j))
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		want := []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second, 31 * time.Second}
		if !slices.Equal(runs, want) {
			t.Errorf("ran at %v", runs)
		}
		s, reason := c.State()
		if s != Failed || !strings.Contains(reason, "crashed") || c.Status().Failed != 6 || e.live.Load() != 0 {
			t.Errorf("%v %q, %+v", s, reason, c.Status())
		}
		if got := j.String(); got != strings.Repeat("ready loading ", 5)+"ready failed" {
			t.Errorf("states %s", got)
		}
	})
}

func TestRunLoopRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		e := &script{run: func(ctx context.Context) error {
			if runs.Add(1) == 100 {
				<-ctx.Done()
				return ctx.Err()
			}
			time.Sleep(healthyRun) // each run is healthy, so restarts do not add up
			panic("late crash")
		}}
		w := newWorld(t)
		defer w.close()
		c := w.make(manifest("loop"), e, Options{})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(99*(healthyRun+firstRestart) + time.Second)
		synctest.Wait()
		if s, reason := c.State(); s != Ready || reason != "" || runs.Load() != 100 || c.Status().Instances != 1 {
			t.Errorf("%v %q after %d runs", s, reason, runs.Load())
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, _ := c.State(); s != Stopped || c.Status().Instances != 0 {
			t.Errorf("%v, %+v", s, c.Status())
		}
	})
}

func TestRunLoopThatReturnsIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		c := w.make(manifest("loop"), &script{run: func(context.Context) error { return nil }}, Options{})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s, reason := c.State(); s != Stopped || reason != "its run loop ended" || c.Status().Failed != 0 {
			t.Errorf("%v %q", s, reason)
		}
	})
}

// The instance is there when Start returns, and the next one before the pause: its
// subscriptions collect messages meanwhile.
func TestRunLoopInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crash := make(chan error)
		e := &script{
			run: func(ctx context.Context) error {
				select {
				case err := <-crash:
					return err
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			instantiate: func(_ context.Context, n int64) error {
				if n == 2 {
					return errors.New("no memory")
				}
				return nil
			},
		}
		w := newWorld(t)
		defer w.close()
		c := w.make(manifest("loop"), e, Options{})
		if err := c.Start(t.Context()); err != nil || e.live.Load() != 1 {
			t.Fatal(err, e.live.Load())
		}
		crash <- errors.New("trap")
		synctest.Wait()
		if e.made.Load() != 2 || e.live.Load() != 0 {
			t.Errorf("%d made, %d live", e.made.Load(), e.live.Load())
		}
		time.Sleep(firstRestart)
		synctest.Wait()
		if _, reason := c.State(); e.live.Load() != 1 || !strings.Contains(reason, "no memory") {
			t.Errorf("%d live, %q", e.live.Load(), reason)
		}
		// Unloading in the middle of the pause closes the instance that waits.
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRunLoopStart(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	bad := w.make(manifest("bad"), &script{
		run:         func(context.Context) error { return nil },
		instantiate: func(context.Context, int64) error { return errors.New("no memory") },
	}, Options{})
	if err := bad.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "bad: make an instance: no memory") {
		t.Errorf("start: %v", err)
	}
	if s, reason := bad.State(); s != Failed || reason == "" {
		t.Errorf("%v %q", s, reason)
	}
	good := w.make(manifest("good"), &script{}, Options{})
	if err := errors.Join(good.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := good.Start(t.Context()); !errors.Is(err, ErrStarted) {
		t.Errorf("second start: %v", err)
	}
}

// Unloading while the first instance is being made: nothing is left running.
func TestRunLoopStopDuringStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &script{
			run:         func(ctx context.Context) error { t.Error("it ran"); return nil },
			instantiate: func(context.Context, int64) error { time.Sleep(time.Second); return nil },
		}
		w := newWorld(t)
		defer w.close()
		c := w.make(manifest("loop"), e, Options{})
		started := make(chan error)
		go func() { started <- c.Start(context.Background()) }()
		synctest.Wait()
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-started; !errors.Is(err, ErrStopped) {
			t.Errorf("start: %v", err)
		}
	})
}

func TestRunLoopsAreNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		e := &script{
			run:      func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			handlers: map[string]handler{"x": answer("1")},
		}
		c := w.make(manifest("loop", "a.b x"), e, Options{})
		if err := errors.Join(w.registry.Add(c), c.Start(context.Background())); err != nil {
			t.Fatal(err)
		}
		if err := w.settled(message("a.b", "1")); err != nil {
			t.Fatal(err)
		}
		if got, err := w.Trigger(t.Context(), Caller{}, "a.b", []byte("1")); err != nil || len(got) != 0 {
			t.Errorf("%s %v", got, err)
		}
		if _, err := w.Invoke(t.Context(), "loop", &Invocation{Action: "x"}); !errors.Is(err, ErrRunLoop) {
			t.Errorf("invoke: %v", err)
		}
		if e.calls.Load() != 0 {
			t.Error("it was called")
		}
		guard := w.make(manifest("guard", "a.b x 99"), &script{run: e.run}, Options{})
		if err := w.registry.Add(guard); !errors.Is(err, ErrGuardLoop) {
			t.Errorf("a run loop as a guard: %v", err)
		}
	})
}

func TestRestartDelay(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute} {
		if got := restartDelay(n); got != want {
			t.Errorf("restart %d after %v", n, got)
		}
	}
}
