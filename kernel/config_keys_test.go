package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/kernel/config"
)

// keyShown says how it is shown that a configuration key does something: the field that a consumer reads, and either two files that
// must behave differently, or the test elsewhere that sets what the key sets.
type keyShown struct {
	field     string
	base, set string
	probe     func(t *testing.T, k *Kernel) string
	elsewhere string // "path/x_test.go TestName"
	sandboxed bool   // the probe runs a program
}

const freely = "[workspace]\nmode = \"autonomous\"\n[security.policy]\nrequire_approval_for_network = false\n"

// shownKeys has each key of the configuration.
var shownKeys = map[string]keyShown{
	"storage":              {field: "Storage", set: `storage = "mem:"`, probe: stateFile},
	"workspace.mode":       {field: "Workspace.Mode", set: "[workspace]\nmode = \"guided\"", probe: readsOutside},
	"workspace.hard_links": {field: "Workspace.HardLinks", elsewhere: "kernel/links_test.go TestLinksToOutside"},

	"security.approval_timeout_secs":               {field: "Security.ApprovalTimeout", elsewhere: "approval/manager_test.go TestNobodyAnswersInTime"},
	"security.session_idle_secs":                   {field: "Security.SessionIdle", elsewhere: "kernel/manage_gate_test.go TestSessionEndsWhenNobodyIsThere"},
	"security.policy.blocked_tools":                {field: "BlockedTools", base: freely, set: freely + "blocked_tools = [\"ls\"]", probe: runs},
	"security.policy.blocked_capsules":             {field: "BlockedCapsules", base: freely, set: freely + "blocked_capsules = [\"prov\"]", probe: runs},
	"security.policy.approval_required_tools":      {field: "ApprovalRequiredTools", base: freely, set: freely + "approval_required_tools = [\"ls\"]", probe: runs},
	"security.policy.allowed_paths":                {field: "AllowedPaths", base: freely, set: freely + "allowed_paths = [\"/srv/**\"]", probe: readsOutside},
	"security.policy.denied_paths":                 {field: "DeniedPaths", base: freely, set: freely + "denied_paths = [\"/opt/**\"]", probe: readsOutside},
	"security.policy.allowed_hosts":                {field: "AllowedHosts", base: freely, set: freely + "allowed_hosts = [\"other.example\"]", probe: requests},
	"security.policy.denied_hosts":                 {field: "DeniedHosts", base: freely, set: freely + "denied_hosts = [\"example.com\"]", probe: requests},
	"security.policy.max_argument_size":            {field: "MaxArgumentBytes", base: freely, set: freely + "max_argument_size = 1", probe: runs},
	"security.policy.require_approval_for_delete":  {field: "RequireApprovalDelete", set: "[security.policy]\nrequire_approval_for_delete = false", probe: deletesOutside},
	"security.policy.require_approval_for_network": {field: "RequireApprovalNetwork", set: "[security.policy]\nrequire_approval_for_network = false", probe: requests},
	"secrets.store":                                {field: "Secrets.Store", elsewhere: "kernel/secrets/secrets_test.go TestKeyFile"},
	"budget.session_max_usd":                       {field: "SessionMaxUSD", base: freely, set: freely + "[budget]\nsession_max_usd = 0.5\n", probe: spends},
	"budget.workspace_max_usd":                     {field: "WorkspaceMaxUSD", base: freely, set: freely + "[budget]\nworkspace_max_usd = 0.5\n", probe: spends},
	"budget.per_action_max_usd":                    {field: "PerActionMaxUSD", base: freely, set: freely + "[budget]\nper_action_max_usd = 0.5\n", probe: spends},
	"budget.warn_at_percent":                       {field: "WarnAtPercent", elsewhere: "approval/budget_test.go TestReserve"},
	"budget.tariff":                                {field: "Tariff", base: freely, set: freely + "[budget.tariff]\n\"api.example.com\" = 20.0\n", probe: spends},
	"audit.sync":                                   {field: "Audit.Sync", elsewhere: "audit/fault_test.go TestGroupCommit"},
	"audit.capsule_mb_per_day":                     {field: "Audit.CapsuleBytes", elsewhere: "kernel/limits_test.go TestAuditBrake"},
	"http.timeout_secs":                            {field: "HTTP.Timeout", elsewhere: "abi/host/http_test.go TestResponses"},
	"http.stream_idle_secs":                        {field: "HTTP.StreamIdle", elsewhere: "abi/host/http_stream_test.go TestStreamLimit"},
	"http.max_response_bytes":                      {field: "HTTP.MaxResponseBytes", elsewhere: "abi/host/http_test.go TestResponses"},
	"limits.guest_memory_mb":                       {field: "Limits.GuestMemoryBytes", elsewhere: "capsule/engine/wasm/load_test.go TestMemoryLimitOption"},
	"limits.call_deadline_secs":                    {field: "Limits.CallDeadline", elsewhere: "kernel/hostile_test.go TestHostileGuestsTogether"},
	"limits.cpu_percent":                           {field: "Limits.CPUPercent", elsewhere: "capsule/engine/wasm/quota_test.go TestQuota"},
	"limits.kv_mb":                                 {field: "Limits.KVBytes", elsewhere: "kernel/limits_test.go TestConfiguredLimits"},
	"limits.kv_keys":                               {field: "Limits.KVKeys", elsewhere: "kernel/limits_test.go TestConfiguredLimits"},
	"limits.mailbox":                               {field: "Limits.Mailbox", elsewhere: "capsule/mailbox_test.go TestMailboxFull"},
	"capsules.base_url":                            {field: "Capsules.BaseURL", elsewhere: "cmd/astrid/cli/capsule_network_test.go TestInstallFromTheNetwork"},
	"capsules.timeout_secs":                        {field: "Capsules.Timeout", elsewhere: "capsule/remote/remote_test.go TestBadServers"},
	"capsules.watch":                               {field: "Capsules.Watch", elsewhere: "capsule/watch/watch_test.go TestWatch"},
	"sandbox.network":                              {field: "c.Network", set: "[sandbox]\nnetwork = true", probe: inSandbox("readlink /proc/self/ns/net"), sandboxed: true},
	"sandbox.read":                                 {field: "c.Read", set: "[sandbox]\nread = [\"/var/lib\"]", probe: inSandbox("ls -d /var/lib 2>&1 || true"), sandboxed: true},
	"sandbox.memory_mb":                            {field: "c.MemoryBytes", set: "[sandbox]\nmemory_mb = 512", probe: inSandbox("grep 'data size' /proc/self/limits"), sandboxed: true},
	"sandbox.processes":                            {field: "c.Processes", set: "[sandbox]\nprocesses = 80", probe: inSandbox("grep 'Max processes' /proc/self/limits"), sandboxed: true},
	"sandbox.cpu_secs":                             {field: "c.CPU", set: "[sandbox]\ncpu_secs = 77", probe: inSandbox("grep 'cpu time' /proc/self/limits"), sandboxed: true},
	"logging.level":                                {field: "Logging.Level", elsewhere: "kernel/telemetry/telemetry_test.go TestLogRotates"},
	"logging.capsule_mb_per_day":                   {field: "Logging.CapsuleBytes", elsewhere: "kernel/limits_test.go TestConfiguredLimits"},
	"logging.retention_days":                       {field: "RetentionDays", elsewhere: "kernel/telemetry/telemetry_test.go TestLogRotates"},
	"identity.links":                               {field: "Identity.Links", elsewhere: "kernel/users_test.go TestConfiguredLinksAreMade"},
}

func outcome(err error) string {
	for _, e := range []error{approval.ErrDeferred, approval.ErrBudget, approval.ErrDenied} {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	return fmt.Sprint(err)
}

func stateFile(_ *testing.T, k *Kernel) string {
	_, err := os.Stat(k.opts.Home.StateDB())
	return fmt.Sprint(err == nil)
}

func fileAct(kind approval.Kind) func(t *testing.T, k *Kernel) string {
	return func(t *testing.T, k *Kernel) string {
		return outcome(act(t, k, "s", approval.Action{Kind: kind, Path: "/opt/x", Resource: approval.FileResource(kind, "/opt/x")}))
	}
}

func readsOutside(t *testing.T, k *Kernel) string   { return fileAct(approval.FSRead)(t, k) }
func deletesOutside(t *testing.T, k *Kernel) string { return fileAct(approval.FSDelete)(t, k) }
func requests(t *testing.T, k *Kernel) string       { return outcome(request(t, k, "s")) }

func runs(t *testing.T, k *Kernel) string {
	return outcome(act(t, k, "s", approval.Action{Kind: approval.Exec, Path: "/usr/bin/ls", Argv: []string{"ls", "-l"}, Size: 2}))
}

func spends(t *testing.T, k *Kernel) string {
	return outcome(act(t, k, "s", approval.Action{Kind: approval.NetRequest, Resource: apiResource, Method: "POST", CostUSD: 1}))
}

func inSandbox(script string) func(t *testing.T, k *Kernel) string {
	return func(t *testing.T, k *Kernel) string { return output(t, k, "s", script) }
}

// TestEveryKeyDoesSomething: each key of the configuration has a consumer, and changes what is done.
func TestEveryKeyDoesSomething(t *testing.T) {
	cfg, err := config.Load(config.Options{})
	noError(t, err)
	all, err := cfg.Entries("")
	noError(t, err)
	source := consumers(t)
	known := map[string]bool{}
	for _, e := range all {
		known[e.Key] = true
		s, ok := shownKeys[e.Key]
		if !ok {
			t.Errorf("%s: no test shows what it changes: add it to shownKeys", e.Key)
			continue
		}
		if !strings.Contains(source, s.field) {
			t.Errorf("%s: nothing reads %s", e.Key, s.field)
		}
		if s.probe == nil {
			file, name, _ := strings.Cut(s.elsewhere, " ")
			text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
			if err != nil || !regexp.MustCompile(`(?m)^func `+name+`.*\(t `).Match(text) {
				t.Errorf("%s: there is no test %s (%v)", e.Key, s.elsewhere, err)
			}
			continue
		}
		t.Run(e.Key, func(t *testing.T) {
			if s.sandboxed {
				needSandbox(t)
			}
			var got []string
			for _, text := range []string{s.base, s.set} {
				k := boot(t, func(o *Options) { put(t, o.Home.ConfigFile(), text+"\n") })
				got = append(got, s.probe(t, k))
			}
			if got[0] == got[1] {
				t.Errorf("without it and with it: %q", got[0])
			}
		})
	}
	for key := range shownKeys {
		if !known[key] {
			t.Errorf("%s is no key", key)
		}
	}
}

// consumers is the source of what reads the configuration.
func consumers(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{".", "../cmd"} {
		noError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && p == "config" {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(p)
			b.Write(text)
			return err
		}))
	}
	return b.String()
}
