package capsule

import (
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// DeniedError says that a guard stopped a message.
type DeniedError struct {
	Topic   string
	Capsule string // the guard
	Reason  string
}

func (e *DeniedError) Error() string {
	return fmt.Sprintf("%s: denied by capsule %s: %s", e.Topic, e.Capsule, e.Reason)
}

// GuardError says that a guard failed, so that the message was stopped.
type GuardError struct {
	Topic   string
	Capsule string // the guard
	Err     error
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("%s: guard %s failed, so the message was stopped: %v", e.Topic, e.Capsule, e.Err)
}

func (e *GuardError) Unwrap() error { return e.Err }

// CycleError refuses a synchronous call that could never end: the called capsule waits
// for the caller.
type CycleError struct {
	Subject string   // topic or hook
	Path    []string // capsule ids; the last one is called again
}

func (e *CycleError) Error() string {
	return fmt.Sprintf("%s: call cycle %s", e.Subject, strings.Join(e.Path, " -> "))
}

// HopsError refuses a message at the end of a chain of messages that is too long to be meant.
type HopsError struct{ Topic string }

func (e *HopsError) Error() string {
	return fmt.Sprintf("%s: more than %d messages in one chain of cause and effect: capsules answer each other without end",
		e.Topic, MaxHops)
}

// codedError gives an error the code that a guest sees.
type codedError struct {
	code abi.Code
	err  error
}

func coded(c abi.Code, err error) error { return &codedError{c, err} }

func (e *codedError) Error() string { return e.err.Error() }

// Unwrap puts the code first: it is that of the outermost error.
func (e *codedError) Unwrap() []error {
	return []error{&abi.Error{Code: e.code, Message: e.err.Error()}, e.err}
}
