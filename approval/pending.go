package approval

import "fmt"

// pending is a request with what is needed to grant exactly the action that was asked about, possibly in a later
// life of the daemon: this is also its stored form.
type pending struct {
	Request  Request  `json:"request"`
	Resource string   `json:"resource"` // as matched, not escaped
	Method   string   `json:"method,omitempty"`
	Path     string   `json:"path,omitempty"`
	Argv     []string `json:"argv,omitempty"`
	Lasting  Pattern  `json:"lasting"` // what session and workspace grant
	Token    string   `json:"token"`   // what always grants
	Why      string   `json:"why,omitempty"`

	answering bool   // an answer is being recorded; guarded by Manager.mu
	era       uint64 // of the session, when it was asked
}

func newPending(r Request, a *Action) *pending {
	return &pending{Request: r, Resource: a.Resource, Method: a.Method, Path: a.Path, Argv: a.Argv,
		Lasting: lastingPattern(a), Token: tokenPattern(a)}
}

// once covers exactly the action.
func (e *pending) once() Pattern {
	return Pattern{Type: ExactResource, Resource: e.Resource, Method: e.Method}
}

// same: the same subject wants the same thing.
func (e *pending) same(o *pending) bool {
	a, b := &e.Request, &o.Request
	return a.Principal == b.Principal && a.Capsule == b.Capsule && a.Session == b.Session &&
		a.Workspace == b.Workspace && e.Resource == o.Resource && e.Method == o.Method
}

// accepts checks an answer against what was offered.
func (e *pending) accepts(d Decision) error {
	r := &e.Request
	if d.Choice == ApprovePattern {
		return e.acceptsPattern(d)
	}
	for _, o := range r.Choices {
		if o.Choice == d.Choice {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrChoice, Display(string(d.Choice)))
}

func (e *pending) acceptsPattern(d Decision) error {
	r := &e.Request
	switch {
	case d.Pattern == nil:
		return fmt.Errorf("%w: no pattern given", ErrChoice)
	case d.Scope != "" && d.Scope != ScopeSession && d.Scope != ScopeWorkspace:
		return fmt.Errorf("%w: scope %s", ErrChoice, Display(string(d.Scope)))
	case d.Scope == ScopeWorkspace && r.Workspace == "":
		return fmt.Errorf("%w: there is no workspace", ErrChoice)
	case d.MaxUses < 0 || d.For < 0:
		return fmt.Errorf("%w: negative limit", ErrChoice)
	}
	m, err := d.Pattern.compile()
	if err != nil {
		return err
	}
	a := Action{Kind: r.Kind, Resource: e.Resource, Method: e.Method, Path: e.Path, Argv: e.Argv}
	s := Subject{Principal: r.Principal, Capsule: r.Capsule, Session: r.Session, Workspace: r.Workspace}
	if err := a.complete(); err != nil || !m(&s, &a) {
		return fmt.Errorf("%w: %s does not cover %s", ErrChoice, d.Pattern, r.Resource)
	}
	return nil
}
