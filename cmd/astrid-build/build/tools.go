package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/capsule/trial"
)

// tryRun loads the module as a daemon would, and asks it for its tools. That the manifest leads to each of them
// is checked; a capsule that cannot answer here is only warned about.
func (p *project) tryRun(ctx context.Context, log io.Writer) error {
	t, err := trial.Open(ctx, p.manifest, p.wasm, trial.Options{})
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: the module does not fit: %w", ErrProject, err)
	}
	d, err := t.Tools(ctx)
	if cerr := t.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	if err != nil {
		warn(log, "its tools are not known: %v", err)
		return nil
	}
	if findings := unreachable(p.manifest, d); len(findings) > 0 {
		return fmt.Errorf("%w: the manifest does not fit the tools:\n  %s", ErrProject, strings.Join(findings, "\n  "))
	}
	if len(d.Tools) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	p.extra = append(p.extra, store.File{Name: capsule.ToolsName, Data: append(text, '\n')})
	return nil
}

func warn(log io.Writer, format string, args ...any) {
	if log != nil {
		fmt.Fprintf(log, "warning: "+format+"\n", args...)
	}
}

// unreachable compares what the capsule says of its tools with what the manifest leads to.
func unreachable(m *capsule.Manifest, d abi.ToolsDescription) []string {
	var out []string
	has := func(event, action string) bool {
		return slices.ContainsFunc(m.Interceptors, func(ic capsule.Interceptor) bool { return ic.Event == event && ic.Action == action })
	}
	named := map[string]bool{}
	for _, t := range d.Tools {
		named[t.Name] = true
		event, action := abi.TopicToolExecutePrefix+t.Name, "tool_execute_"+t.Name
		if !has(event, action) {
			out = append(out, fmt.Sprintf("tool %s has no [[interceptor]] with event = %q and action = %q", t.Name, event, action))
		}
	}
	for _, ic := range m.Interceptors {
		if name, ok := strings.CutPrefix(ic.Action, "tool_execute_"); ok && !named[name] {
			out = append(out, fmt.Sprintf("the interceptor %s leads to a tool %s that the capsule does not have", ic.Event, name))
		}
	}
	return out
}
