package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/unicity-astrid/astrid-go/capsule"
)

func (f *fixture) capsule(name, more string) Installed {
	f.t.Helper()
	return f.mustInstall(map[string]string{"Capsule.toml": manifest(name, "1.0.0", more), "main.wasm": name})
}

func TestRemoveDependents(t *testing.T) {
	const provides, provides2 = "[exports.astrid]\nllm = \"1.0.0\"\n", "[exports.astrid]\nllm = \"2.0.0\"\n"
	const needs = "[imports.astrid]\nllm = \"^1.0\"\n"
	tests := []struct {
		name   string
		others map[string]string
		refuse []string
	}{
		{"nobody", nil, nil},
		{"one", map[string]string{"user": needs}, []string{"user"}},
		{"two", map[string]string{"user": needs, "another": needs}, []string{"another", "user"}},
		{"optional", map[string]string{"user": "[imports.astrid]\nllm = { version = \"^1\", optional = true }\n"}, nil},
		{"second provider", map[string]string{"user": needs, "other-llm": provides}, nil},
		{"second provider of another version", map[string]string{"user": needs, "other-llm": provides2}, []string{"user"}},
		{"need of another version", map[string]string{"user": "[imports.astrid]\nllm = \"^2\"\n"}, nil},
		{"provides for itself", map[string]string{"user": needs + provides}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.capsule("my-llm", provides)
			for name, more := range tt.others {
				f.capsule(name, more)
			}
			before := f.snapshot()
			err := f.Remove(context.Background(), "my-llm", RemoveOptions{})
			if tt.refuse == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var needed *NeededError
			if !errors.As(err, &needed) {
				t.Fatalf("removed: %v", err)
			}
			var names []string
			for _, d := range needed.Dependents {
				names = append(names, d.Name)
			}
			if !slices.Equal(names, tt.refuse) {
				t.Errorf("dependents %v, want %v", names, tt.refuse)
			}
			f.mustBeUnchanged(before)
			if err := f.Remove(context.Background(), "my-llm", RemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRemoveLooksAtOtherStores(t *testing.T) {
	f := newFixture(t)
	workspace := newFixture(t)
	f.Others = []string{workspace.Dir}
	f.capsule("my-llm", "[exports.astrid]\nllm = \"1.0.0\"\n")
	workspace.capsule("user", "[imports.astrid]\nllm = \"^1.0\"\n")
	var needed *NeededError
	if err := f.Remove(context.Background(), "my-llm", RemoveOptions{}); !errors.As(err, &needed) {
		t.Error(err)
	}
}

func TestRemove(t *testing.T) {
	f := newFixture(t)
	i := f.capsule("demo", "")
	env := filepath.Join(f.root, "demo.env.json")
	write(t, env, "{}")
	for _, name := range []string{"../home", "absent", "", ".lock", "demo/../demo"} {
		if err := f.Remove(context.Background(), name, RemoveOptions{Force: true}); err == nil {
			t.Errorf("removed %q", name)
		}
	}
	// A capsule whose files are damaged can still be removed.
	write(t, filepath.Join(i.Dir, "Capsule.toml"), "not toml =")
	write(t, filepath.Join(i.Dir, "meta.json"), "{")
	if err := f.Remove(context.Background(), "demo", RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(env); err != nil {
		t.Error("the answers are gone")
	}
	f.capsule("demo", "")
	if err := f.Remove(context.Background(), "demo", RemoveOptions{EnvFile: env}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(env); !errors.Is(err, os.ErrNotExist) {
		t.Error("the answers are still there")
	}
	if entries, _ := os.ReadDir(f.Dir); len(entries) != 1 { // .lock
		t.Errorf("leftovers %v", entries)
	}
}

func TestPrune(t *testing.T) {
	f := newFixture(t)
	f.capsule("kept", "")
	gone := f.capsule("gone", "")
	write(t, filepath.Join(f.BinDir, "astrid"), "not ours")
	write(t, filepath.Join(f.BinDir, capsule.TempPrefix+"1"), "half")
	if err := f.Remove(context.Background(), "gone", RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	f.time = time.Now()
	if removed, err := f.Prune(f.BinDir, []string{f.Dir}); err != nil || len(removed) != 0 {
		t.Errorf("pruned a file that was just written: %v %v", removed, err)
	}
	f.time = time.Now().Add(2 * pruneAge)
	removed, err := f.Prune(f.BinDir, []string{f.Dir})
	if err != nil || !slices.Equal(removed, []string{capsule.TempPrefix + "1", gone.Meta.WasmHash + ".wasm"}) {
		t.Errorf("pruned %v, %v", removed, err)
	}
	write(t, filepath.Join(f.Dir, "kept", capsule.MetaName), "{")
	if removed, err := f.Prune(f.BinDir, []string{f.Dir}); err == nil || len(removed) != 0 {
		t.Errorf("pruned although a record is unreadable: %v", removed)
	}
}

func TestTree(t *testing.T) {
	f := newFixture(t)
	f.capsule("a-llm", "[exports.astrid]\nllm = \"1.2.0\"\n")
	f.capsule("b-llm", "[exports.astrid]\nllm = \"2.0.0\"\n")
	f.capsule("user", "[imports.astrid]\nllm = \"^1\"\nnone = { version = \"*\", optional = true }\n")
	write(t, filepath.Join(f.capsule("broken", "").Dir, "Capsule.toml"), "=")
	all, err := f.List()
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	if all[2].Name != "broken" && all[2].Err == nil {
		t.Errorf("the damaged capsule has no error: %+v", all)
	}
	nodes := Tree(all)
	if len(nodes) != 3 || nodes[2].Name != "user" {
		t.Fatalf("%+v", nodes)
	}
	links := nodes[2].Imports
	if !links[0].Satisfied() || !slices.Equal(links[0].Providers, []Provider{{"a-llm", "1.2.0"}}) {
		t.Errorf("llm: %+v", links[0])
	}
	if links[1].Satisfied() || !links[1].Import.Optional {
		t.Errorf("none: %+v", links[1])
	}
}
