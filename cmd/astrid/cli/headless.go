package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// silence is how long a headless run waits for any message.
const silence = 120 * time.Second

type headlessOptions struct {
	sys          System
	prompt       string
	promptSet    bool
	session      string // --session: a new one if there is none
	which        resumeOptions
	printSession bool
	limits       abi.TurnLimits
	how          howOptions
	yes          bool
	maxRisk      string
	allow, deny  []string
	timeout      time.Duration
	format       string
	input        string
	snapshot     snapshotOptions
}

var formats = []string{"text", "json", "stream-json"}

// runHeadless answers one prompt, or those that come on standard input.
func runHeadless(ctx context.Context, o *headlessOptions) error {
	rules, err := o.check()
	if err != nil {
		return err
	}
	prompt := ""
	if o.input == "text" {
		if prompt, err = composePrompt(o.sys, o.prompt); err != nil {
			return err
		}
	}
	w, err := o.sys.project()
	if err != nil {
		return err
	}
	workspace := w.Root()
	dir, err := o.sys.directory()
	if err != nil {
		return err
	}
	h, err := o.sys.openHome()
	if err != nil {
		return err
	}
	// What has to be asked is asked before anything takes long.
	if err := o.sys.meetProject(ctx, o.sys.IsTerminal(o.sys.Stdin) && o.sys.IsTerminal(o.sys.Stderr)); err != nil {
		return err
	}
	if note := o.sys.newOffers(); note != "" {
		o.sys.notef("%s", note)
	}
	if err := firstRun(ctx, o.sys, h); err != nil {
		return err
	}
	conn, _, err := client.Ensure(ctx, client.StartOptions{
		Home: h, Version: Version, Workspace: workspace, Ephemeral: true,
		Notice: func(s string) { o.sys.notef("%s", s) },
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	id, err := o.which.choose(ctx, conn, o.session, workspace)
	if err != nil {
		return err
	}
	if err := o.how.bound(ctx, o.sys, conn, id, workspace); err != nil {
		return err
	}
	if err := conn.Subscribe(ctx, abi.ClientSubscribe{
		Topics:   []string{"agent.v1.*", abi.TopicApproval, abi.TopicHealthFailed},
		Sessions: []string{id},
		Approver: rules.answers(), OwnSessions: true,
	}); err != nil {
		return err
	}
	r := &headlessRun{o: o, early: early(conn), conn: conn, session: id, workspace: workspace, directory: dir, rules: rules, out: newOutput(o.format, o.sys)}
	r.out.begin(id)
	if o.input == "text" {
		err = r.prompt(ctx, prompt)
	} else {
		err = r.converse(ctx)
	}
	if o.printSession {
		fmt.Fprintln(o.sys.Stderr, id)
	}
	return err
}

// check refuses flags that make no sense, before anything is started.
func (o *headlessOptions) check() (approvalRules, error) {
	if !slices.Contains(formats, o.format) {
		return approvalRules{}, fail(ExitUsage, "--output-format: %q is none of text, json, stream-json", o.format)
	}
	if o.timeout < 0 {
		return approvalRules{}, fail(ExitUsage, "--timeout: %s is no time to wait", o.timeout)
	}
	if o.limits.MaxTurns < 0 || o.limits.MaxCostUSD < 0 {
		return approvalRules{}, fail(ExitUsage, "--max-turns and --max-cost: a limit cannot be negative")
	}
	rules, err := parseRules(o.yes, o.maxRisk, o.allow, o.deny)
	if err != nil {
		return rules, err
	}
	switch o.input {
	case "text":
		if !o.promptSet && o.sys.IsTerminal(o.sys.Stdin) {
			return rules, fail(ExitUsage, "there is no prompt: use astrid -p \"…\", or pipe text to astrid")
		}
	case "stream-json":
		if o.format != "stream-json" || o.promptSet {
			return rules, fail(ExitUsage, "--input-format stream-json goes with --output-format stream-json and without -p: prompts come on standard input")
		}
		rules.ask = true
	default:
		return rules, fail(ExitUsage, "--input-format: %q is none of text, stream-json", o.input)
	}
	return rules, nil
}

// headlessRun is a connection that prompts go over, one after the other.
type headlessRun struct {
	o         *headlessOptions
	conn      *client.Conn
	session   string
	workspace string
	directory string // where the person is
	rules     approvalRules
	out       output
	early     []abi.Message // what came before the first prompt

	// Of --input-format stream-json.
	in      <-chan inputEvent // nil: nothing comes
	waiting []string          // prompts
	broken  error             // why no more is read
}

// prompt sends one prompt and follows its turn to the end.
func (r *headlessRun) prompt(ctx context.Context, text string) error {
	t := &turn{sys: r.o.sys, id: uuid.NewString(), session: r.session, rules: r.rules, limit: r.o.timeout, started: time.Now()}
	in := abi.InputContext{TurnID: t.id, Model: r.o.how.model, Directory: r.directory}
	if r.o.limits != (abi.TurnLimits{}) {
		in.Limits = &r.o.limits
	}
	own, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if err := r.conn.Publish(ctx, abi.TopicUserPrompt, r.session, r.workspace, abi.UserInput{Text: text, SessionID: r.session, Context: own}); err != nil {
		return fmt.Errorf("the prompt was not taken: %w", err)
	}
	err = t.brokenOff(t.follow(ctx, r), r.out)
	if r.o.format == "text" {
		t.noteChanges(r.workspace)
	}
	return err
}
