package kernel

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
)

type permitAll struct{}

func (permitAll) Permit(*approval.Action) (string, error) { return "test", nil }

// TestAWorkspaceAroundTheHomeDoesNotLendIt: who works in the directory that holds
// ~/.astrid must not hand its keys to the agent.
func TestAWorkspaceAroundTheHomeDoesNotLendIt(t *testing.T) {
	k := boot(t, func(o *Options) { o.Workspace = filepath.Dir(o.Home.Root()) })
	real, err := filepath.EvalSymlinks(k.opts.Home.Root())
	if err != nil {
		t.Fatal(err)
	}
	s := approval.Subject{Principal: "default", Capsule: "c", Session: "s", Workspace: k.opts.Workspace, Bounds: permitAll{}}
	read := func(path string) error {
		_, err := k.gate.Intercept(t.Context(), s, approval.Action{
			Kind: approval.FSRead, Class: approval.Guarded, Function: abi.ReadFile.String(),
			Resource: approval.FileResource(approval.FSRead, path), Path: path, InWorkspace: true,
		})
		return err
	}
	var denial *approval.Denial
	if err := read(filepath.Join(real, "keys", "runtime.key")); !errors.As(err, &denial) || denial.Layer != approval.LayerPolicy {
		t.Errorf("the runtime key: %v", err)
	}
	if err := read(filepath.Join(k.opts.Workspace, "notes.txt")); err != nil {
		t.Errorf("a file beside the home: %v", err)
	}
}
