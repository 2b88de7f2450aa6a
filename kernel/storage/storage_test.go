package storage_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/kernel/storage"
	"github.com/unicity-astrid/astrid-go/kernel/storage/storagetest"
)

func open(t *testing.T, spec string) storage.Engine {
	t.Helper()
	e, err := storage.Open(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMem(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Engine { return open(t, "mem:") })
}

func TestBolt(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Engine { return open(t, "bolt:"+filepath.Join(t.TempDir(), "state.db")) })
}

// TestScope runs the same contract on views, over each engine, with neighbours that must not show.
func TestScope(t *testing.T) {
	for _, spec := range []string{"mem:", "bolt:"} {
		t.Run(spec, func(t *testing.T) {
			storagetest.RunScope(t, func(t *testing.T) storage.Engine {
				s := spec
				if s == "bolt:" {
					s += filepath.Join(t.TempDir(), "state.db")
				}
				return open(t, s)
			})
		})
	}
}

func TestBoltCrash(t *testing.T) {
	storagetest.Crash(t, "bolt:"+filepath.Join(t.TempDir(), "state.db"), "TestCrashChild")
}

func TestCrashChild(t *testing.T) { storagetest.CrashChild(t) }

func TestOpenErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                   "names no engine",
		"/var/lib/state.db":  `for example "bolt:/var/lib/state.db"`,
		"etcd:host:2379":     `unknown engine "etcd"`,
		"mem:x":              "takes no argument",
		"bolt:":              "must be absolute",
		"bolt:rel/state.db":  "must be absolute",
		"bolt:/proc/x/state": "create the directory",
	} {
		_, err := storage.Open(context.Background(), spec)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want %q", spec, err, want)
		}
	}
	if !slices.Equal(storage.Schemes(), []string{"bolt:", "mem:"}) {
		t.Errorf("schemes are %q", storage.Schemes())
	}
}

func TestRegisterTwice(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a scheme could be registered twice")
		}
	}()
	storage.Register("mem", nil)
}
