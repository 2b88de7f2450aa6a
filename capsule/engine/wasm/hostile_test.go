package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/abi/host"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
)

var hostileDir = filepath.Join("..", "..", "..", "testdata", "guests", "hostile")

func hostileGuest(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(hostileDir, name+".wasm"))
	must(t, err)
	return b
}

// TestHostileGuestsAreMade: the committed guests are what their source makes.
func TestHostileGuestsAreMade(t *testing.T) {
	cmd := exec.Command("go", "run", "./testdata/guests/hostile", "-check")
	cmd.Dir = filepath.Join("..", "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// hostileCapsule may do all that the hostile guests try.
func hostileCapsule(rules ...host.NetRule) *host.Capsule {
	c := testCapsule()
	c.Bounds = host.NewBounds("guest", host.Grants{
		IPCSubscribe: []string{"t.v1.*"}, IPCPublish: []string{"t.v1.*"}, FSRead: []string{"*"}, FSWrite: []string{"*"}, Net: rules, Source: "Capsule.toml:1",
	})
	return c
}

// TestHostileGuestsEnd: each ends with its call, whatever it does, and nothing of it is left.
func TestHostileGuestsEnd(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(hostileDir, "*.wasm"))
	must(t, err)
	if len(files) < 20 {
		t.Fatalf("only %d guests", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".wasm")
		t.Run(name, func(t *testing.T) {
			const allowed = 50 * time.Millisecond
			r, w := newRuntimeWith(t, Options{CallDeadline: allowed}, approval.Rules{Mode: approval.Autonomous})
			e, err := r.Load(context.Background(), hostileCapsule(), hostileGuest(t, name))
			must(t, err)
			defer func() { must(t, e.Close(context.Background())) }()
			start := time.Now()
			err = attack(e, allowed)
			if d := time.Since(start); d > allowed+slack {
				t.Errorf("it took %s", d)
			}
			want := context.DeadlineExceeded
			if name == "extism-grow" || name == "extism-blocks" { // all of its memory may be full before
				if err == nil || !errors.Is(err, want) && !strings.Contains(err.Error(), "oom") {
					t.Errorf("it ended with %v", err)
				}
			} else if !errors.Is(err, want) {
				t.Errorf("it ended with %v", err)
			}
			if n := w.bus.Stats().Subscriptions; n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
			if u := e.Usage(); u.Instances() != 0 || u.Memory() != 0 {
				t.Errorf("%d instances with %d bytes are left", u.Instances(), u.Memory())
			}
		})
	}
}

// attack lets a guest go about it once.
func attack(e *Engine, allowed time.Duration) error {
	inst, err := e.Instantiate(context.Background())
	if err != nil {
		return err
	}
	i := inst.(*Instance)
	if e.HasRun() {
		ctx, cancel := context.WithTimeout(context.Background(), allowed)
		defer cancel()
		err = i.Run(ctx)
	} else {
		_, err = invoke(i, context.Background())
	}
	if err != nil && !errors.Is(err, capsule.ErrInstanceDead) {
		return fmt.Errorf("the instance lives on after: %v", err)
	}
	return errors.Join(err, i.Close(context.Background()))
}

// TestHostileProbes: what a guest must not reach is refused each time, and what has a limit is limited.
func TestHostileProbes(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-hang:
		}
	}))
	defer server.Close()
	defer close(hang)
	u, err := url.Parse(server.URL)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	for name, want := range map[string]map[abi.Code]int{
		"pointers":  {abi.CodeInvalid: -1, abi.CodeTooLarge: -1, abi.CodeNotFound: -1, abi.CodeUnsupported: -1},
		"handles":   {abi.CodeHandle: -1, abi.CodeInvalid: -1, abi.CodeUnsupported: -1, abi.CodeDenied: -1, abi.CodeNotFound: -1},
		"subscribe": {abi.OK: abi.MaxSubscriptions, abi.CodeLimit: 1000 - abi.MaxSubscriptions},
		"streams":   {abi.OK: abi.MaxHTTPStreams, abi.CodeLimit: 1000 - abi.MaxHTTPStreams},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := newRuntimeWith(t, Options{}, approval.Rules{Mode: approval.Autonomous})
			bin := bytes.Replace(hostileGuest(t, name), []byte(":00009/"), fmt.Appendf(nil, ":%05d/", port), 1)
			e, err := r.Load(context.Background(), hostileCapsule(portRule(port)), bin)
			must(t, err)
			defer func() { must(t, e.Close(context.Background())) }()
			i := instantiate(t, e)
			out, err := i.Call(context.Background(), &capsule.Invocation{Export: abi.ExportInstall})
			must(t, err)
			got := map[abi.Code]int{}
			total := 0
			for c := range len(out) / 4 {
				if n := int(binary.LittleEndian.Uint32(out[4*c:])); n > 0 {
					got[abi.Code(c)] = n
					total += n
				}
			}
			for c, n := range got {
				if want[c] == 0 || want[c] > 0 && want[c] != n {
					t.Errorf("%s %d times, want %v", c, n, want)
				}
			}
			if total < 40 {
				t.Errorf("only %d calls: %v", total, got)
			}
			must(t, i.Close(context.Background()))
			if n := w.bus.Stats().Subscriptions; n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	}
}

// portRule permits one port of this machine.
type portRule int

func (p portRule) Permits(_, host string, port int) bool {
	return host == "127.0.0.1" && port == int(p)
}
func (p portRule) Exact() bool    { return true }
func (p portRule) String() string { return "127.0.0.1" }
