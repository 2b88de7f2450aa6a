package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// howOptions say how a session's prompts are answered.
type howOptions struct {
	mode  string // --mode; "" leaves the session's as it is
	model string // --model; "" is the active one
}

func (o *howOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.mode, "mode", "", "`MODE` of the session from now on, where it is stricter than the one in force: safe, guided, autonomous, yolo")
	f.StringVar(&o.model, "model", "", "have this `MODEL` answer; see astrid models")
}

// check refuses what no daemon could mean.
func (o *howOptions) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("mode") {
		if _, err := approval.ParseMode(o.mode); err != nil {
			return fail(ExitUsage, "--mode: %q is none of safe, guided, autonomous, yolo", o.mode)
		}
	}
	if cmd.Flags().Changed("model") && o.model == "" {
		return fail(ExitUsage, "--model: the model's name is empty: see astrid models")
	}
	return nil
}

// bound gives the session its mode before anything happens in it.
func (o *howOptions) bound(ctx context.Context, sys System, conn *client.Conn, session, workspace string) error {
	if o.mode == "" {
		return nil
	}
	info, err := call[abi.ModeInfo](ctx, conn, abi.MethodSetSessionMode, abi.SessionMode{Session: session, Workspace: workspace, Mode: o.mode})
	if err != nil {
		return fmt.Errorf("--mode: %w", err)
	}
	if info.Mode != o.mode {
		sys.notef("mode %s is in force here (%s): --mode can only be stricter", info.Mode, approval.Display(info.Source))
	}
	return nil
}
