package kernel

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/kernel/storage"
)

// TestConfiguredLimits: the limits of the configuration reach what they bound.
func TestConfiguredLimits(t *testing.T) {
	k := boot(t, func(o *Options) {
		if err := o.Home.Ensure(); err != nil {
			t.Fatal(err)
		}
		text := "[limits]\nkv_keys = 2\nkv_mb = 1\n[logging]\ncapsule_mb_per_day = 1\n"
		if err := os.WriteFile(o.Home.ConfigFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	space := k.spaces.get("default", "demo")
	if err := space.Put(t.Context(), "big", make([]byte, 2<<20)); !errors.Is(err, storage.ErrQuota) || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("2 MiB: %v", err)
	}
	for _, key := range []string{"a", "b"} {
		if err := space.Put(t.Context(), key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := space.Put(t.Context(), "c", nil); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("a third key: %v", err)
	}
	if err := k.spaces.get("alice", "demo").Put(t.Context(), "c", nil); err != nil {
		t.Errorf("another principal's: %v", err)
	}
	line := strings.Repeat("x", 60_000)
	for range 40 { // more than 2 MiB
		k.CapsuleLog("default", "demo", slog.LevelInfo, line)
	}
	files, err := filepath.Glob(filepath.Join(k.opts.Home.PrincipalsDir(), "default", ".local", "log", "demo", "*.log"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	size := int64(0)
	for _, f := range files { // two at midnight
		fi, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += fi.Size()
	}
	if size > int64(len(files))*(1<<20+1<<10) {
		t.Errorf("the log has %d bytes", size)
	}
}

// TestAuditBrake: a capsule that makes recorded calls without end fills the log as far as the configuration lets it. That is
// recorded, and how many calls were refused for it; a capsule beside it is not concerned.
func TestAuditBrake(t *testing.T) {
	k := boot(t, func(o *Options) {
		hostileHome(t, o, hostileDeadline)
		text, err := os.ReadFile(o.Home.ConfigFile())
		check(t, err)
		check(t, os.WriteFile(o.Home.ConfigFile(), append(text, "[audit]\ncapsule_mb_per_day = 1\n"...), 0o600))
		installGuest(t, o.Home, "reads", hostileGuests(t)["reads"])
		installGuest(t, o.Home, "other", hostileGuests(t)["reads"])
	})
	entries := func(capsule string, verdict audit.Verdict) (found []audit.Entry) {
		for e, err := range k.gate.log.Query(t.Context(), audit.Filter{Principal: "default", Capsule: capsule, Verdict: verdict}) {
			check(t, err)
			found = append(found, e)
		}
		return found
	}
	for n := 0; len(entries("reads", audit.Deny)) == 0; n++ { // each call lasts until its deadline
		if n == 20 {
			t.Fatalf("%d calls are recorded, and none is refused", len(entries("reads", "")))
		}
		_, _ = callCapsule(k, "reads")
	}
	recorded := len(entries("reads", ""))
	_, _ = callCapsule(k, "reads")
	if n := len(entries("reads", "")); n != recorded {
		t.Errorf("%d entries more were made of calls that are refused", n-recorded)
	}
	closing := entries("reads", audit.Deny)
	if len(closing) != 1 || closing[0].Layer != approval.LayerAudit || closing[0].Rule != "audit.capsule_mb_per_day" || !strings.Contains(closing[0].Source, "config.toml:6") {
		t.Errorf("it is recorded as %+v", closing[0].Draft)
	}
	if n := k.gate.Stats().Braked; n < 10 {
		t.Errorf("%d calls were refused without an entry", n)
	}
	_, _ = callCapsule(k, "other")
	if len(entries("other", audit.Allow)) == 0 {
		t.Error("the other capsule's calls are refused too")
	}
	k.gate.Interceptor.Close()
	last := entries("reads", "")[recorded]
	if last.Kind != audit.KindOutcome || last.Of != closing[0].ID || !strings.HasSuffix(last.Outcome.Text, "more calls were refused, and not recorded each") {
		t.Errorf("the end is recorded as %+v", last)
	}
}
