package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
)

func newWhy(sys System) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why AUDIT-ID",
		Short: "Explain a decision of the gate",
		Long: `Explain a decision: who wanted what, which layer and rule decided, where that rule is set,
what authorized it, what it cost, and the entries of the log that have to do with it. The id
is in refusals and in "astrid audit tail"; the beginning or the end of it is enough. No
daemon is needed; a running one adds what a token's origin is.

Exit codes: 0 done, 1 there is no such entry, 2 the command line is wrong.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := explain(cmd.Context(), sys, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(sys.Stdout, w)
			}
			return w.print(sys)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// explanation is a decision and what belongs to it.
type explanation struct {
	Entry   audit.Entry   `json:"entry"`
	Summary string        `json:"summary"`
	Layer   string        `json:"layer_means,omitempty"` // what the layer is
	Line    string        `json:"rule_line,omitempty"`   // of the file that sets the rule, as it is now
	Origin  string        `json:"proof_origin,omitempty"`
	Related []audit.Entry `json:"related"`

	data decisionData
}

// layers says what each layer is.
var layers = map[string]string{
	approval.LayerManifest: "what the capsule's manifest declares, the outer bound of all it may do",
	approval.LayerPolicy:   "the policy: hard blocks, lists and the mode",
	approval.LayerToken:    "a capability token",
	approval.LayerBudget:   "the budget",
	approval.LayerApproval: "a human's answer, given now or before",
	approval.LayerAudit:    "the audit log",
	approval.LayerGuard:    "a capsule that decides about the messages of others",
}

// explain gathers what the log says about an entry. An outcome is explained by its decision.
func explain(ctx context.Context, sys System, typed string) (*explanation, error) {
	_, store, err := sys.openAudit()
	if err != nil {
		return nil, err
	}
	defer store.Close()
	r := audit.NewReader(store)
	e, err := findEntry(ctx, r, typed)
	if err != nil {
		return nil, err
	}
	if e.Kind == audit.KindOutcome {
		if e, err = r.Get(ctx, e.Of); err != nil {
			return nil, err
		}
	}
	w := &explanation{Entry: e, Summary: summary(&e), Layer: layers[e.Layer], Line: ruleLine(e.Source), Related: []audit.Entry{}, data: dataOf(&e)}
	w.Origin = tokenOrigin(ctx, sys, &e)
	for o, err := range r.Query(ctx, audit.Filter{Principal: e.Principal}) {
		if err != nil {
			if skippable(err) {
				continue
			}
			return nil, err
		}
		if o.ID != e.ID && w.concerns(&o) {
			w.Related = append(w.Related, o)
		}
	}
	return w, nil
}

// concerns: the other entry refers to this one, this one to it, both are about one question,
// or one made the permission that the other used.
func (w *explanation) concerns(o *audit.Entry) bool {
	e, q := &w.Entry, dataOf(o).RequestID
	switch {
	case o.Of == e.ID, e.Of == o.ID, w.Origin == o.ID.String():
		return true
	case w.data.RequestID != "" && (q == w.data.RequestID || o.Proof.ID == w.data.RequestID):
		return true
	}
	return e.Proof.Kind == audit.ProofAllowance && q == e.Proof.ID
}

// summary says in one sentence what was decided.
func summary(e *audit.Entry) string {
	who := approval.Display(e.Capsule)
	if who == "" {
		who = "the kernel"
	}
	if e.Kind != audit.KindDecision {
		return fmt.Sprintf("%s of %s: %s", e.Kind, who, approval.Display(e.Type))
	}
	did := map[audit.Verdict]string{audit.Allow: "was allowed", audit.Deny: "was refused", audit.Defer: "was put off until somebody approves it"}[e.Verdict]
	if e.Function == "approvals" { // the answer to a queued request
		did = map[audit.Verdict]string{audit.Allow: "was approved", audit.Deny: "was denied by the user"}[e.Verdict]
	}
	return fmt.Sprintf("The action of %s on %s %s", who, approval.Display(e.Resource), did)
}

// tokenOrigin asks a running daemon which entry created the token that allowed an action.
func tokenOrigin(ctx context.Context, sys System, e *audit.Entry) string {
	if e.Proof.Kind != audit.ProofToken && e.Proof.Kind != audit.ProofAllowance {
		return ""
	}
	conn, err := sys.running(ctx)
	if err != nil || conn == nil {
		return ""
	}
	defer conn.Close()
	grants, err := call[[]abi.GrantInfo](ctx, conn, abi.MethodListGrants, nil)
	if err != nil {
		return ""
	}
	for _, g := range grants {
		if g.ID == e.Proof.ID {
			return g.AuditID
		}
	}
	return ""
}

var sourceForm = regexp.MustCompile(`^(/.*\.toml):([0-9]{1,7})(?::[0-9]+)?$`)

// ruleLine returns the line that a source names, as the file is now; "" if it cannot be read.
func ruleLine(source string) string {
	m := sourceForm.FindStringSubmatch(source)
	if m == nil {
		return ""
	}
	if fi, err := os.Lstat(m[1]); err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return ""
	}
	f, err := os.Open(m[1])
	if err != nil {
		return ""
	}
	defer f.Close()
	s := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for i := 1; s.Scan(); i++ {
		if i == n {
			return approval.Display(strings.TrimSpace(s.Text()))
		}
	}
	return ""
}

func (w *explanation) print(sys System) error {
	e := &w.Entry
	fmt.Fprintln(sys.Stdout, w.Summary+".")
	fmt.Fprintln(sys.Stdout)
	layer := approval.Display(e.Layer)
	if w.Layer != "" {
		layer += ": " + w.Layer
	}
	cost := ""
	if e.CostUSD != nil {
		cost = money(*e.CostUSD) + " reserved"
	}
	origin := ""
	if w.Origin != "" {
		origin = "created by entry " + approval.Display(w.Origin)
	}
	if err := details(sys.Stdout, [][2]string{
		{"when", e.Time.Local().Format(time.RFC3339Nano)},
		{"who", approval.Display(e.Capsule)},
		{"for", approval.Display(e.Principal)},
		{"in session", approval.Display(e.Session)},
		{"called by", approval.Display(strings.Join(e.Via, " → "))},
		{"by calling", approval.Display(e.Function)},
		{"to", strings.TrimSpace(approval.Display(e.Action) + " " + approval.Display(w.data.Method))},
		{"resource", approval.Display(e.Resource)},
		{"risk", approval.Display(w.data.Risk)},
		{"verdict", string(e.Verdict)},
		{"decided by", layer},
		{"rule", approval.Display(e.Rule)},
		{"set in", approval.Display(e.Source)},
		{"which reads", w.Line},
		{"because", approval.Display(e.Reason)},
		{"proof", proofText(e.Proof)},
		{"", origin},
		{"granted", approval.Display(w.data.Granted)},
		{"request", approval.Display(w.data.RequestID)},
		{"cost", cost},
		{"type", approval.Display(e.Type)},
		{"data", nonDecisionData(e)},
		{"entry", e.ID.String()},
	}); err != nil {
		return err
	}
	fmt.Fprintln(sys.Stdout)
	if len(w.Related) == 0 {
		if e.Kind == audit.KindDecision && e.Verdict == audit.Allow {
			fmt.Fprintln(sys.Stdout, "No entry refers to it: the action reported success at no cost.")
		}
		return nil
	}
	fmt.Fprintln(sys.Stdout, "related entries:")
	p := entryPrinter{w: sys.Stdout}
	for i := range w.Related {
		if err := p.print(&w.Related[i]); err != nil {
			return err
		}
	}
	return nil
}

func nonDecisionData(e *audit.Entry) string {
	if e.Kind == audit.KindDecision {
		return ""
	}
	return approval.Display(string(e.Data))
}
