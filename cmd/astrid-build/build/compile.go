package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compileArgs make a reactor module whose bytes do not depend on where, when or from which commit it is
// built.
var compileArgs = []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// compile builds the Go package in dir for WASI. The project directory is not written to.
func compile(ctx context.Context, dir string, log io.Writer) ([]byte, error) {
	scratch, err := os.MkdirTemp("", "astrid-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	out := filepath.Join(scratch, "component.wasm")
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", append(append([]string(nil), compileArgs...), "-o", out, ".")...)
	cmd.Dir = dir
	cmd.Env = compileEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	if log != nil {
		_, _ = log.Write(output.Bytes()) // a closed terminal must not fail the build
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: go build: %w\n%s", ErrProject, err, strings.TrimSpace(output.String()))
	}
	return os.ReadFile(out)
}

// compileEnv fixes the target. The last value of a variable wins.
func compileEnv(env []string) []string {
	return append(append([]string(nil), env...), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWASM=")
}
