package doctor

import (
	"context"
	"strings"

	"github.com/unicity-astrid/astrid-go/kernel/sandbox"
)

// sandbox tries whether programs can be run confined. Without it they are refused, and nothing
// else is: so it is a warning.
func (r *report) sandbox(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	p := sandbox.Probe(ctx)
	if !p.Available {
		r.add("sandbox", Warn, "programs cannot be run: "+p.Problem, p.Remedy)
		return
	}
	r.add("sandbox", OK, strings.Join(strings.Fields(p.Kind+" "+p.Version+" "+p.Program), " "), "")
}
