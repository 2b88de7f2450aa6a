package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// rustTargets are those that a capsule may be built for, the preferred one first.
var rustTargets = []string{"wasm32-wasip1", "wasm32-unknown-unknown"}

// compileRust builds the crate in dir with cargo and returns its module. The build's own files go to a scratch
// directory, so that the project is not written to apart from a missing Cargo.lock.
func compileRust(ctx context.Context, dir string, m *capsule.Manifest, log io.Writer) ([]byte, error) {
	if _, err := exec.LookPath("cargo"); err != nil {
		return nil, fmt.Errorf("%w: it is a Rust crate and cargo is not installed: see https://rustup.rs, then rustup target add %s", ErrProject, rustTargets[0])
	}
	target, err := rustTarget(ctx, dir)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "astrid-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	real, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), "CARGO_TARGET_DIR="+scratch, "CARGO_INCREMENTAL=0", "CARGO_ENCODED_RUSTFLAGS="+rustFlags(real))
	var out, text bytes.Buffer
	cmd := exec.CommandContext(ctx, "cargo", "build", "--release", "--target", target, "--message-format=json-render-diagnostics")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &text
	err = cmd.Run()
	if log != nil {
		_, _ = log.Write(text.Bytes()) // a closed terminal must not fail the build
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if log != nil { // it has said why
			text.Reset()
		}
		return nil, fmt.Errorf("%w: cargo build: %w\n%s", ErrProject, err, strings.TrimSpace(text.String()))
	}
	return rustModule(&out, filepath.Base(m.Main().File))
}

// rustFlags are the user's and those that keep paths of this machine out of the module, in the form in which they may hold blanks.
func rustFlags(dir string) string {
	flags := strings.Fields(os.Getenv("RUSTFLAGS"))
	if text := os.Getenv("CARGO_ENCODED_RUSTFLAGS"); text != "" { // as for cargo, it counts instead
		flags = strings.Split(text, "\x1f")
	}
	return strings.Join(append(flags, "--remap-path-prefix="+dir+"=/src", "--remap-path-prefix="+cargoHome()+"=/cargo"), "\x1f")
}

func cargoHome() string {
	if h := os.Getenv("CARGO_HOME"); h != "" {
		return h
	}
	h, err := os.UserHomeDir()
	if err != nil {
		return "/nonexistent"
	}
	return filepath.Join(h, ".cargo")
}

// rustTarget finds the first target whose standard library is installed.
func rustTarget(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "rustc", "--print", "sysroot")
	cmd.Dir = dir // a toolchain file of the project counts
	root, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: rustc does not run: %w", ErrProject, err)
	}
	for _, t := range rustTargets {
		if exists(filepath.Join(strings.TrimSpace(string(root)), "lib", "rustlib", t, "lib")) {
			return t, nil
		}
	}
	return "", fmt.Errorf("%w: the Rust toolchain cannot compile for WebAssembly yet: run `rustup target add %s`", ErrProject, rustTargets[0])
}

// rustModule finds the one module among what cargo says that it has made. Of several that which the manifest
// names counts.
func rustModule(messages io.Reader, want string) ([]byte, error) {
	var found []string
	for d := json.NewDecoder(messages); ; {
		var msg struct {
			Reason    string   `json:"reason"`
			Filenames []string `json:"filenames"`
		}
		err := d.Decode(&msg)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("output of cargo: %w", err)
		}
		for _, f := range msg.Filenames {
			if msg.Reason == "compiler-artifact" && filepath.Ext(f) == ".wasm" {
				found = append(found, f)
			}
		}
	}
	if i := slices.IndexFunc(found, func(f string) bool { return filepath.Base(f) == want }); i >= 0 {
		return os.ReadFile(found[i])
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%w: cargo has made %d modules, none called %s as component.file says; in Cargo.toml, [lib] crate-type = [\"cdylib\"]", ErrProject, len(found), want)
	}
	return os.ReadFile(found[0])
}
