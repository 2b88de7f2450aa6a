package kernel

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
