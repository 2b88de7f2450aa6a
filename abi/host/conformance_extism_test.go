package host

import (
	"errors"
	"testing"
)

// pdkGuest is the Extism convention as SDK 0.5.3 has it: a status byte where there is one, else a trap, after which
// the transcript goes on as if the guest had survived it.
type pdkGuest struct{}

func (pdkGuest) name() string { return "extism" }

func (pdkGuest) play(t *testing.T, r *rig, c *Capsule, call *Call, calls []transcriptCall) []outcome {
	t.Helper()
	g := r.extismGuest(c)
	g.call = call
	defer g.inst.Close() // what closing it records is in the transcript
	var done []outcome
	for _, tc := range calls {
		var params []string
		for _, p := range tc.params {
			if p.result >= 0 {
				p.text = string(done[p.result].result)
			}
			params = append(params, p.text)
		}
		out, err := g.do(tc.fn, params...)
		var trap *Trap
		switch {
		case errors.As(err, &trap):
			done = append(done, outcome{code: "trap", text: trap.Error()})
		case err != nil:
			done = append(done, outcome{code: "status", text: err.Error()})
		default:
			done = append(done, outcome{code: "ok", result: []byte(out)})
		}
	}
	return done
}
