package host

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

func autonomous() rigOptions {
	return rigOptions{rules: approval.Rules{Mode: approval.Autonomous}}
}

// TestPointers: whatever a guest passes as pointer and length, it gets an error.
func TestPointers(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	const end = guestPages << 16
	ctx := context.Background()
	for name, c := range map[string]struct {
		ptr, n uint64
		code   abi.Code
	}{
		"one past the end":         {end, 1, abi.CodeInvalid},
		"last byte":                {end - 1, 1, abi.OK},
		"over the end":             {end - 1, 2, abi.CodeInvalid},
		"sum wraps round":          {0xfffffff0, 0x20, abi.CodeInvalid},
		"top of the address space": {0xffffffff, 1, abi.CodeInvalid},
		"length 2^32-1":            {0, 0xffffffff, abi.CodeTooLarge},
		"one over the limit":       {0, abi.MaxPath + 1, abi.CodeTooLarge},
		"at the limit":             {0, abi.MaxPath, abi.CodeInvalid}, // NULs
		"empty, pointer nowhere":   {0xffffffff, 0, abi.OK},
	} {
		if c.code == abi.OK {
			g.mod.Memory().WriteByte(end-1, 'a')
		}
		_, err := g.result(g.raw(ctx, abi.FsExists.String(), c.ptr, c.n))
		got := abi.OK
		if err != nil {
			got = err.Code
		}
		if got != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// TestLimits: each parameter of each function is refused one byte over its limit, before
// anything else happens.
func TestLimits(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	for fn := range abi.FunctionCount {
		for i, p := range r.host.table[fn].params {
			words := make([]uint64, 2*len(r.host.table[fn].params))
			words[2*i+1] = uint64(p.max) + 1
			_, err := g.result(g.raw(context.Background(), fn.String(), words...))
			if err == nil || err.Code != abi.CodeTooLarge || !strings.Contains(err.Message, p.name) {
				t.Errorf("%s, %s over its limit: %v", fn, p.name, err)
			}
		}
	}
	if h := r.history(); len(h) != 0 {
		t.Errorf("something happened: %q", h)
	}
}

func TestTake(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	ctx := context.Background()
	const end = guestPages << 16
	g.want("", abi.KvSet, "k", "0123456789")
	g.mod.Memory().WriteString(64, "k")
	if w := g.raw(ctx, abi.KvGet.String(), 64, 1); w != 10 {
		t.Fatalf("result word %#x", w)
	}
	for name, c := range map[string]struct{ ptr, limit uint64 }{
		"too small": {1024, 9}, "no room": {1024, 0}, "outside": {end, 10}, "over the end": {end - 9, 10}, "wraps": {0xfffffffe, 0xffffffff},
	} {
		if n := g.raw(ctx, abi.LinkTake, c.ptr, c.limit); n != 0 {
			t.Errorf("%s: took %d bytes", name, n)
		}
	}
	if n := g.raw(ctx, abi.LinkTake, end-10, 10); n != 10 {
		t.Fatalf("took %d bytes, want the 10 that were parked", n)
	}
	if b, _ := g.mod.Memory().Read(end-10, 10); string(b) != "0123456789" {
		t.Errorf("took %q", b)
	}
	if n := g.raw(ctx, abi.LinkTake, 1024, 1024); n != 0 {
		t.Errorf("took %d bytes twice", n)
	}
	// A call forgets what an earlier one parked.
	g.raw(ctx, abi.KvGet.String(), 64, 1)
	g.want("", abi.KvDelete, "k")
	if n := g.raw(ctx, abi.LinkTake, 1024, 1024); n != 0 {
		t.Errorf("took %d bytes of an earlier call", n)
	}
}

// TestHugeResults: the largest value there is makes it through, both ways.
func TestHugeResults(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	big := strings.Repeat("x", abi.MaxValue)
	g.want("", abi.KvSet, "big", big)
	out, err := g.do(abi.KvGet, "big")
	if err != nil || string(out) != big {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	g.want("", abi.WriteFile, "big", big)
	g.want("", abi.WriteFile, "big", big[:1])
	g.want(big[:1], abi.ReadFile, "big")
}

// TestTooMuch: a list that no guest could take is refused, not made.
func TestTooMuch(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	for i := range maxResult/abi.MaxKey + 1 {
		r.store.m["default:guest:"+strconv.Itoa(i)+strings.Repeat("k", abi.MaxKey)] = nil
	}
	g.refused(abi.CodeTooLarge, "ask for less", abi.KvListKeys, "")
	if n := len(g.inst.parked); n > maxErrorText {
		t.Errorf("%d bytes are kept", n)
	}
}

// TestKeptParameters: what outlives a call is not the guest's memory.
func TestKeptParameters(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	g.want("", abi.KvSet, "k", "value")
	g.want("", abi.IpcPublish, "t.v1.a", `{"a":1}`)
	g.want("", abi.Log, "info", "line")
	zero := bytes.Repeat([]byte{'!'}, 4096)
	g.mod.Memory().Write(0, zero)
	g.want("value", abi.KvGet, "k")
	if got := string(r.sent[0].Payload.Guest()); got != `{"a":1}` || r.sent[0].Topic != "t.v1.a" {
		t.Errorf("published %s", got)
	}
	if r.logs[0] != "default guest INFO line" {
		t.Errorf("logged %q", r.logs)
	}
}

func TestErrorTexts(t *testing.T) {
	inst := new(Instance)
	for _, msg := range []string{strings.Repeat("\u00e9", maxErrorText), "bytes \xff\xfe", "ok"} {
		w := inst.fail(abi.Errorf(abi.CodeIO, "%s", msg))
		if n := int(uint32(w)); n != len(inst.parked) || n > maxErrorText+2 || !utf8.Valid(inst.parked) || abi.Code(w>>32) != abi.CodeIO {
			t.Errorf("%.20q: word %#x, %d bytes parked", msg, w, len(inst.parked))
		}
	}
}

// TestOutsideCall: without a call there is nobody to decide for.
func TestOutsideCall(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	if _, err := g.mod.ExportedFunction(abi.ClockMs.String()).Call(context.Background()); err == nil {
		t.Error("a host function ran without a call")
	}
	if out, err := g.mod.ExportedFunction(abi.LinkTake).Call(context.Background(), 0, 10); err != nil || out[0] != 0 {
		t.Errorf("take gave %v %v", out, err)
	}
}

func TestCalls(t *testing.T) {
	r := newRig(t, autonomous())
	g := r.guest(newCapsule(everythingGrants()))
	for range 3 {
		g.want("hello", abi.GetConfig, "greeting")
	}
	if c := r.host.Calls(); len(c) != 1 || c["astrid_get_config"] != 3 {
		t.Errorf("%v", c)
	}
}
