package doctor

import (
	"context"

	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// Status is how a check ended.
type Status string

const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, but not as well as it could, or not for long
	Fail Status = "fail" // something does not work
	Skip Status = "skip" // it could not be looked at
)

// Result is what one check found.
type Result struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"` // what to do, when there is something
}

// Options says what to look at.
type Options struct {
	Home      home.Home
	Version   string // of the command line
	Workspace string // absolute directory
	Offline   bool   // leave out what reaches over the network
	Getenv    func(string) (string, bool)
	// TerminalSize gives columns and lines, or an error where there is no terminal.
	TerminalSize func() (width, height int, err error)
	// Outdated says which capsules of a principal are not of this program's distribution, "" for none; OutdatedFix is the
	// command that brings them up to date.
	Outdated    func(home.Principal) (string, error)
	OutdatedFix string
}

// Run makes every check, in an order in which the first failure explains the later ones.
func Run(ctx context.Context, o Options) []Result {
	r := &report{o: o}
	r.binaries(ctx)
	r.tree()
	if r.made {
		r.secrets()
		r.sealed()
		r.disk()
	}
	r.configuration()
	if r.made {
		r.capsules()
		r.daemon(ctx)
		r.providers(ctx)
	}
	r.sandbox(ctx)
	r.terminal()
	return r.results
}

// Worst is the worst status of a list; Skip counts as OK.
func Worst(results []Result) Status {
	worst := OK
	for _, r := range results {
		switch {
		case r.Status == Fail:
			return Fail
		case r.Status == Warn:
			worst = Warn
		}
	}
	return worst
}

// report gathers results.
type report struct {
	o       Options
	made    bool // the home exists
	results []Result
}

func (r *report) add(check string, s Status, detail, fix string) {
	r.results = append(r.results, Result{check, s, detail, fix})
}

// fail adds an error, with the fix that it names itself or the one given.
func (r *report) fail(check string, err error, fix string) {
	r.add(check, Fail, err.Error(), fix)
}
