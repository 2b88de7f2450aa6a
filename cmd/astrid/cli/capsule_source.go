package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// packageOf finds what can be installed at source: an archive, a prepared directory, or
// the archive that it builds of a directory with Go files. done removes what was built.
func packageOf(ctx context.Context, sys System, source string) (path string, done func(), err error) {
	done = func() {}
	for _, remote := range []string{"@", "github.com/", "https://", "http://", "openclaw:"} {
		if strings.HasPrefix(source, remote) {
			return "", done, fail(ExitUsage, "%s: capsules are installed from a directory or a %s file: download it, then install the file", source, store.ArchiveSuffix)
		}
	}
	if !filepath.IsAbs(source) {
		dir, err := sys.Getwd()
		if err != nil {
			return "", done, err
		}
		source = filepath.Join(dir, source)
	}
	info, err := os.Stat(source)
	switch {
	case err != nil:
		return "", done, fail(ExitError, "there is nothing to install: %w", err)
	case !info.IsDir() && strings.HasSuffix(source, store.ArchiveSuffix):
		return source, done, nil
	case !info.IsDir():
		return "", done, fail(ExitError, "%s: want a %s file, or a directory with a %s", source, store.ArchiveSuffix, capsule.ManifestName)
	}
	goes, err := hasGoFiles(source)
	if err != nil || !goes {
		return source, done, err
	}
	scratch, err := os.MkdirTemp("", "astrid-install-")
	if err != nil {
		return "", done, err
	}
	done = func() { _ = os.RemoveAll(scratch) }
	path = filepath.Join(scratch, "built"+store.ArchiveSuffix)
	if err := runBuild(ctx, sys, io.Discard, "-o", path, source); err != nil {
		return "", done, err
	}
	return path, done, nil
}

func hasGoFiles(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == ".go" {
			return true, nil
		}
	}
	return false, nil
}

// runBuild runs astrid-build. Its exit code becomes that of the command.
func runBuild(ctx context.Context, sys System, stdout io.Writer, args ...string) error {
	path, err := client.Binary("astrid-build")
	if err != nil {
		return err
	}
	dir, err := sys.Getwd()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = stdout, sys.Stderr
	err = cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() > 0 {
		return &exitError{code: exit.ExitCode()} // it has said why
	}
	if err != nil {
		return fmt.Errorf("astrid-build: %w", err)
	}
	return nil
}
