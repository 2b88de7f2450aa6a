package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// TestGate plays the gate's scenarios through daemon and command line, with the stock
// capsules and a real server at the end.
func TestGate(t *testing.T) {
	base := template(t)
	for _, c := range []struct {
		name    string
		consent bool
		config  string
		play    func(*testing.T, *world)
	}{
		{"a policy block", true, "[security.policy]\ndenied_hosts = [\n  \"127.0.0.1\", # never\n]\n", playPolicyBlock},
		{"nobody there: the queued action runs once when it is approved", false, "", playQueued},
		{"a denial", false, "", playDenied},
		{"a tool whose action is put off", true, "", playTool},
		{"Allow Session", false, "", playSession},
		{"Allow Workspace", false, "", playWorkspace},
		{"Allow Always", false, "", playAlways},
		{"a pattern", false, "", playPattern},
		{"--yes answers its own session only", false, "", playYes},
		{"--allow and --deny", false, "", playRules},
		{"a conversation over standard input", false, "", playConverse},
		{"a budget", true, "[budget]\nsession_max_usd = 1.0\nper_action_max_usd = 1.0\n[budget.tariff]\n\"127.0.0.1\" = 0.6\n", playBudget},
		{"what is put off costs nothing", false, "[budget.tariff]\n\"127.0.0.1\" = 0.6\n", playRefund},
		{"the mode", false, "# mine\n[workspace]\nmode = \"guided\" # for now\n", playMode},
		{"the audit log", true, "", playAudit},
	} {
		t.Run(c.name, func(t *testing.T) { c.play(t, base.fresh(t, c.consent, c.config)) })
	}
}

func playPolicyBlock(t *testing.T, w *world) {
	stderr := w.prompt(ExitTurn, "s")
	if !strings.Contains(stderr, "denied by policy") || !strings.Contains(stderr, "config.toml:3") {
		t.Errorf("the refusal says %q", stderr)
	}
	denied := w.query("--verdict", "deny")
	if len(denied) != 1 || denied[0].Layer != "policy" {
		t.Fatalf("recorded are %+v", denied)
	}
	out, _ := w.want(ExitOK, "why", denied[0].ID)
	for _, want := range []string{"was refused", "hard blocks, lists and the mode", "config.toml:3", `"127.0.0.1", # never`, provider} {
		if !strings.Contains(out, want) {
			t.Errorf("why does not say %q:\n%s", want, out)
		}
	}
}

func playQueued(t *testing.T, w *world) {
	stderr := w.prompt(ExitApproval, "s")
	r := w.waiting()
	if !strings.Contains(stderr, "astrid approvals approve "+r.ID) {
		t.Errorf("the request is not named: %q", stderr)
	}
	if again := w.prompt(ExitApproval, "s"); !strings.Contains(again, r.ID) {
		t.Errorf("trying again does not name it: %q", again)
	}
	w.restart() // it waits in the store
	list, _ := w.want(ExitOK, "approvals", "list")
	if !strings.Contains(list, r.ID[:shortID]) || !strings.Contains(list, "queued") || !strings.Contains(list, r.Resource) {
		t.Errorf("the list is\n%s", list)
	}
	show, _ := w.want(ExitOK, "approvals", "show", r.ID[:6])
	for _, want := range []string{r.ID, provider, r.Resource, "mode safe", "POST " + r.Resource, "--always"} {
		if !strings.Contains(show, want) {
			t.Errorf("show does not say %q:\n%s", want, show)
		}
	}
	w.want(ExitError, "approvals", "approve", "zzzz")
	out, _ := w.want(ExitOK, "approvals", "approve", r.ID[:6])
	if !strings.Contains(out, "grants once: POST "+r.Resource) {
		t.Errorf("approve says %q", out)
	}
	w.want(ExitError, "approvals", "approve", r.ID)
	w.prompt(ExitOK, "s")
	w.prompt(ExitApproval, "s")
	allowed := w.query("--function", "astrid_http_stream_start", "--verdict", "allow")
	if len(allowed) != 1 || allowed[0].Proof.Kind != "allowance" {
		t.Fatalf("recorded are %+v", allowed)
	}
	why, _ := w.want(ExitOK, "why", allowed[0].ID)
	if !strings.Contains(why, "defer") || !strings.Contains(why, "approvals") {
		t.Errorf("why does not show how it came to be allowed:\n%s", why)
	}
}

func playDenied(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	out, _ := w.want(ExitOK, "approvals", "deny", w.waiting().ID, "--reason", "too late")
	if !strings.HasPrefix(out, "denied: "+provider) {
		t.Errorf("deny says %q", out)
	}
	if list := decode[[]abi.ApprovalInfo](w, "approvals"); len(list) != 0 {
		t.Errorf("still waiting: %+v", list)
	}
	w.prompt(ExitApproval, "s")
}

func playSession(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	w.want(ExitOK, "approvals", "approve", w.waiting().ID, "--session")
	w.prompt(ExitOK, "s")
	w.prompt(ExitOK, "s")
	w.prompt(ExitApproval, "other")
	w.restart()
	w.prompt(ExitApproval, "s")
}

func playWorkspace(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	w.want(ExitOK, "approvals", "approve", w.waiting().ID, "--workspace")
	w.prompt(ExitOK, "other")
	w.restart()
	w.prompt(ExitOK, "third")
	grants := decode[[]abi.GrantInfo](w, "caps")
	if len(grants) != 1 || grants[0].Scope != "workspace" || grants[0].Workspace != w.cwd {
		t.Errorf("grants are %+v", grants)
	}
	w.cwd = realDir(t)
	w.prompt(ExitApproval, "elsewhere")
}

func playAlways(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	w.want(ExitOK, "approvals", "approve", w.waiting().ID, "--always")
	w.prompt(ExitOK, "other")
	w.restart()
	w.prompt(ExitOK, "third")

	grants := decode[[]abi.GrantInfo](w, "caps", "list")
	if len(grants) != 1 || grants[0].Kind != abi.GrantToken || grants[0].Status != "active" {
		t.Fatalf("grants are %+v", grants)
	}
	token := grants[0]
	if made, _ := w.want(ExitOK, "why", token.AuditID); !strings.Contains(made, "always net:") {
		t.Errorf("the entry that created the token says\n%s", made)
	}
	uses := w.query("--function", "astrid_http_stream_start", "--verdict", "allow", "--limit", "1")
	if len(uses) != 1 || uses[0].Layer != "token" || uses[0].Proof.ID != token.ID {
		t.Fatalf("its use is recorded as %+v", uses)
	}
	if why, _ := w.want(ExitOK, "why", uses[0].ID); !strings.Contains(why, "created by entry "+token.AuditID) {
		t.Errorf("why does not say where the token comes from:\n%s", why)
	}
	if show, _ := w.want(ExitOK, "caps", "show", token.ID[:8]); !strings.Contains(show, token.AuditID) || !strings.Contains(show, token.Pattern) {
		t.Errorf("show says\n%s", show)
	}
	w.want(ExitUsage, "caps", "revoke")
	w.want(ExitUsage, "caps", "revoke", token.ID, "--capsule", provider)
	w.want(ExitOK, "caps", "revoke", token.ID[:8])
	w.prompt(ExitApproval, "third")
	if left := decode[[]abi.GrantInfo](w, "caps"); len(left) != 0 {
		t.Errorf("still listed: %+v", left)
	}
	if all := decode[[]abi.GrantInfo](w, "caps", "--all"); len(all) != 1 || all[0].Status != "revoked" {
		t.Errorf("with --all: %+v", all)
	}
	if events := w.query("--capsule", provider); !strings.Contains(fmt.Sprint(events), "capability.revoked") {
		t.Errorf("the revocation is not in the log: %+v", events)
	}
}

func playPattern(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	r := w.waiting()
	w.want(ExitError, "approvals", "approve", r.ID, "--pattern", "net:https://elsewhere.example:443/**")
	w.want(ExitUsage, "approvals", "approve", r.ID, "--pattern", "x", "--always")
	w.want(ExitUsage, "approvals", "approve", r.ID, "--session", "--workspace")
	w.want(ExitOK, "approvals", "approve", r.ID, "--pattern", strings.TrimSuffix(r.Resource, "completions")+"*", "--workspace")
	w.prompt(ExitOK, "other")
}

func playYes(t *testing.T, w *world) {
	w.prompt(ExitApproval, "left-behind")
	r := w.waiting()
	w.prompt(ExitOK, "s", "--yes")
	if still := w.waiting(); still.ID != r.ID {
		t.Errorf("waiting is %+v, want %s", still, r.ID)
	}
	w.prompt(ExitApproval, "s") // it was for once
	w.prompt(ExitOK, "s", "--yes")
	if still := w.waiting(); still.ID != r.ID { // the answer to the second try was one to the first
		t.Errorf("waiting is %+v, want %s", still, r.ID)
	}
}

func playBudget(t *testing.T, w *world) {
	w.prompt(ExitOK, "s")
	if stderr := w.prompt(ExitTurn, "s"); !strings.Contains(stderr, "budget") || !strings.Contains(stderr, "config.toml:2") {
		t.Errorf("the refusal says %q", stderr)
	}
	w.prompt(ExitOK, "other")
	b := decode[abi.BudgetInfo](w, "budget", "--session", "s")
	if len(b.Totals) != 1 || b.Totals[0].SpentUSD != 0.6 || b.Totals[0].MaxUSD != 1 {
		t.Errorf("totals of the session are %+v", b.Totals)
	}
	out, _ := w.want(ExitOK, "budget")
	for _, want := range []string{"$1.20", "$0.60", "config.toml:2", "at least, for 127.0.0.1", w.cwd} {
		if !strings.Contains(out, want) {
			t.Errorf("budget does not say %q:\n%s", want, out)
		}
	}
	if denied := w.query("--verdict", "deny"); len(denied) != 1 || denied[0].Layer != "budget" {
		t.Errorf("recorded are %+v", denied)
	}
}

func playRefund(t *testing.T, w *world) {
	w.prompt(ExitApproval, "s")
	for _, total := range decode[abi.BudgetInfo](w, "budget").Totals {
		if total.SpentUSD != 0 || total.ReservedUSD != 0 {
			t.Errorf("what was put off costs %+v", total)
		}
	}
}

// playTool: the model asks for a file outside of the workspace.
func playTool(t *testing.T, w *world) {
	p, err := w.home.Principal(home.DefaultPrincipal)
	if err != nil {
		t.Fatal(err)
	}
	w.write(filepath.Join(p.Root(), "note.txt"), "the secret of the note\n")
	turn := []string{"-p", "read home://note.txt", "--session", "s"}
	stdout, _ := w.want(ExitApproval, turn...)
	if told := fmt.Sprint(w.told.Load()); !strings.Contains(told, "deferred") || strings.Contains(told, "the secret") {
		t.Errorf("the model was told %q", told)
	}
	if stdout != "hi there\n" {
		t.Errorf("the turn did not go on: %q", stdout)
	}
	r := w.waiting()
	if r.Capsule != "astrid-capsule-fs" || r.Kind != "fs_read" || r.Resource != "fs:read://"+filepath.Join(p.Root(), "note.txt") {
		t.Errorf("waiting is %+v", r)
	}
	w.want(ExitOK, "approvals", "approve", r.ID)
	w.want(ExitOK, turn...)
	if told := fmt.Sprint(w.told.Load()); !strings.Contains(told, "the secret") {
		t.Errorf("after the approval the model was told %q", told)
	}
}
