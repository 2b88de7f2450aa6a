package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// world is a set of files and variables to load from.
type world struct {
	system, user, workspace string
	env                     map[string]string
	flags                   []Setting
}

type loaded struct {
	*Config
	opts Options
}

func (w world) options(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	o := Options{
		SystemFile:    filepath.Join(dir, "sys", "config.toml"),
		UserFile:      filepath.Join(dir, "h", "etc", "config.toml"),
		WorkspaceRoot: filepath.Join(dir, "ws"),
		LookupEnv:     func(k string) (string, bool) { v, ok := w.env[k]; return v, ok },
		Flags:         w.flags,
	}
	for path, text := range map[string]string{o.SystemFile: w.system, o.UserFile: w.user, o.workspaceFile(): w.workspace} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return o
}

func (w world) load(t *testing.T) loaded {
	t.Helper()
	o := w.options(t)
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return loaded{c, o}
}

func (w world) fail(t *testing.T, want ...string) {
	t.Helper()
	_, err := Load(w.options(t))
	if err == nil {
		t.Fatalf("loads; want an error with %q", want)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %v\nwant %q", err, part)
		}
	}
}

func values(items []Item) string {
	var s []string
	for _, it := range items {
		s = append(s, it.Value)
	}
	return strings.Join(s, " ")
}

func TestDefaults(t *testing.T) {
	c := world{}.load(t)
	if c.Workspace.Mode != "safe" || c.Budget.SessionMaxUSD != 100 || c.Budget.PerActionMaxUSD != 10 || c.Budget.WorkspaceMaxUSD != 0 ||
		c.Budget.WarnAtPercent != 80 || c.Audit.Sync != "group" || c.Storage != "" || c.Logging.Level != slog.LevelInfo ||
		c.Logging.RetentionDays != 7 || c.Limits.GuestMemoryBytes != 64<<20 || c.Limits.CallDeadline != 5*time.Minute || c.Limits.Mailbox != 256 ||
		c.HTTP.Timeout != 30*time.Second || c.HTTP.StreamIdle != 2*time.Minute || c.HTTP.MaxResponseBytes != 10<<20 ||
		c.Security.ApprovalTimeout != 5*time.Minute || len(c.Budget.Tariff) != 0 || len(c.Identity.Links) != 0 {
		t.Errorf("defaults are %+v", *c.Config)
	}
	p := c.Security.Policy
	if values(p.BlockedTools) != "rm -rf / rm -rf /* sudo su mkfs dd chmod 777 shutdown reboot init" || values(p.DeniedPaths) != "/etc/** /boot/** /sys/** /proc/** /dev/**" ||
		p.MaxArgumentBytes != 1<<20 || !p.RequireApprovalDelete || !p.RequireApprovalNetwork || len(p.AllowedHosts)+len(p.AllowedPaths)+len(p.DeniedHosts)+len(p.BlockedCapsules) != 0 {
		t.Errorf("policy is %+v", p)
	}
	if len(c.Files) != 0 || len(c.Notices) != 0 || c.Origin("workspace.mode").String() != "default" {
		t.Errorf("files %v, notices %v", c.Files, c.Notices)
	}
	for _, k := range keys { // the table's defaults keep the table's rules
		if k.check != nil {
			if msg := k.check(c.values[k.path].v); msg != "" {
				t.Errorf("default of %s: %s", k.path, msg)
			}
		}
	}
}

func TestPrecedence(t *testing.T) {
	w := world{
		system:    "[budget]\nsession_max_usd = 90\nper_action_max_usd = 9\nwarn_at_percent = 70\n[logging]\nlevel = \"warn\"\n",
		user:      "[budget]\nsession_max_usd = 80.5\nper_action_max_usd = 8\n",
		workspace: "[budget]\nsession_max_usd = 70\n",
	}
	check := func(what string, c loaded, session, action float64, level slog.Level, origins ...string) {
		t.Helper()
		if c.Budget.SessionMaxUSD != session || c.Budget.PerActionMaxUSD != action || c.Logging.Level != level {
			t.Errorf("%s: %+v, %v", what, c.Budget, c.Logging.Level)
		}
		for i, key := range []string{"budget.session_max_usd", "budget.per_action_max_usd", "logging.level"} {
			if got := c.Origin(key).String(); !strings.HasSuffix(got, origins[i]) {
				t.Errorf("%s: %s comes from %s, want %s", what, key, got, origins[i])
			}
		}
	}
	check("files", w.load(t), 70, 8, slog.LevelWarn, "ws/.astrid/config.toml:2:1", "h/etc/config.toml:3:1", "sys/config.toml:6:1")
	w.env = map[string]string{"ASTRID_BUDGET_SESSION_MAX_USD": "95", "ASTRID_LOG_LEVEL": "error", "ASTRID_WORKSPACE_MODE": ""}
	check("environment", w.load(t), 95, 8, slog.LevelError, "$ASTRID_BUDGET_SESSION_MAX_USD", "h/etc/config.toml:3:1", "$ASTRID_LOG_LEVEL")
	w.flags = []Setting{{"logging.level", "debug", "--verbose"}}
	check("flag", w.load(t), 95, 8, slog.LevelDebug, "$ASTRID_BUDGET_SESSION_MAX_USD", "h/etc/config.toml:3:1", "--verbose")
	if c := w.load(t); len(c.Files) != 3 || c.Files[2].Layer != Workspaces || c.Budget.WarnAtPercent != 70 {
		t.Errorf("files are %v", c.Files)
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		user string
		want []string
	}{
		"unknown key":       {"[budget]\n\n  sesion_max_usd = 3\n", []string{"config.toml:3:3: budget.sesion_max_usd: unknown key; did you mean \"budget.session_max_usd\"?"}},
		"unknown section":   {"\n[budgets]\nx = 1\ny = 2\n", []string{"config.toml:2:2: budgets: unknown key; did you mean \"budget\"?"}},
		"unknown dotted":    {"nothing.like.this = 1\n", []string{"config.toml:1:1: nothing: unknown key"}},
		"implicit section":  {"\n\n[secureity.policy]\nmax_argument_size = 1\n", []string{":3:", "secureity: unknown key; did you mean \"security\"?"}},
		"wrong section":     {"[security]\nsession_max_usd = 1\n", []string{":2:1: security.session_max_usd: unknown key; did you mean \"budget.session_max_usd\"?"}},
		"retired":           {"[model]\nprovider = \"claude\"\n", []string{":1:2: model: unknown key; models are set up in their provider's capsule"}},
		"case":              {"[Budget]\nsession_max_usd = 1\n", []string{"Budget: unknown key; did you mean \"budget\"?"}},
		"section as value":  {"budget = 5\n", []string{":1:1: budget: is a section"}},
		"string for number": {"[budget]\nsession_max_usd = \"5\"\n", []string{":2:1: budget.session_max_usd: must be a number, not the string \"5\""}},
		"float for int":     {"[limits]\nmailbox = 5.0\n", []string{":2:1: limits.mailbox: must be an integer, not 5"}},
		"int for bool":      {"[security.policy]\nrequire_approval_for_delete = 1\n", []string{"must be true or false, not 1"}},
		"date":              {"storage = 2020-01-01\n", []string{"must be a string, not a date or time"}},
		"string for list":   {"[security.policy]\ndenied_hosts = \"x\"\n", []string{"must be an array of strings, not the string \"x\""}},
		"mixed list":        {"[security.policy]\ndenied_hosts = [\"x\", 3]\n", []string{"entry 2 is 3"}},
		"blank rule":        {"[security.policy]\nblocked_tools = [\"x\", \" \"]\n", []string{":2:1: security.policy.blocked_tools: an entry must not be blank"}},
		"mode":              {"[workspace]\nmode = \"turbo\"\n", []string{"unsupported value \"turbo\"; expected one of: safe, guided, autonomous, yolo"}},
		"mode misspelt":     {"[workspace]\nmode = \"gided\"\n", []string{"did you mean \"guided\"?"}},
		"NaN":               {"[budget]\nsession_max_usd = nan\n", []string{"must be a finite positive number"}},
		"infinite":          {"[budget]\nsession_max_usd = inf\n", []string{"must be a finite positive number"}},
		"zero":              {"[budget]\nper_action_max_usd = 0\n", []string{"must be a finite positive number"}},
		"much":              {"[budget]\nsession_max_usd = 20000\n", []string{"20000 exceeds maximum allowed value (10000)"}},
		"action > session":  {"[budget]\nsession_max_usd = 5\nper_action_max_usd = 6\n", []string{"config.toml:3:1: budget.per_action_max_usd: per_action_max_usd (6) must not exceed session_max_usd (5)"}},
		"percent":           {"[budget]\nwarn_at_percent = 101\n", []string{"101 is out of range; must be between 0 and 100"}},
		"negative":          {"[http]\ntimeout_secs = -1\n", []string{"out of range"}},
		"storage":           {"storage = \"/var/x\"\n", []string{"names no engine"}},
		"tariff type":       {"[budget.tariff]\n\"a.com\" = \"x\"\n", []string{":2:2: budget.tariff.a.com: must be a number"}},
		"tariff url":        {"[budget.tariff]\n\"https://a.com\" = 1\n", []string{"is not a host"}},
		"tariff negative":   {"[budget.tariff]\n\"a.com\" = -1\n", []string{"out of range"}},
		"tariff dots":       {"[budget.tariff]\na.com = 1\n", []string{":2:1: budget.tariff.a: must be a number, not a table"}},
		"link key":          {"[[identity.links]]\nplatfrom = \"x\"\n", []string{":1:1: identity.links.platfrom: unknown key; did you mean \"platform\"?"}},
		"link field":        {"[[identity.links]]\nplatform = \"x\"\nplatform_user_id = \"1\"\n", []string{"astrid_user must not be empty"}},
		"links as table":    {"[identity.links]\nplatform = \"x\"\n", []string{"must be an array of tables, not a table"}},
		"syntax":            {"[budget]\nsession_max_usd = \n", []string{"config.toml:2:"}},
		"duplicate":         {"[budget]\nwarn_at_percent = 1\nwarn_at_percent = 2\n", []string{":3:", "already been defined"}},
		"binary":            {"\x00\x01", []string{"config.toml:1:"}},
		"terminal codes":    {"\"\\u001b[2J\\n\\u202ex\" = 1\n", []string{`: \u001b[2J\u000a\u202ex: unknown key`}},
		"all at once":       {"a = 1\nb = 2\n[budget]\nwarn_at_percent = \"x\"\n", []string{":1:1: a:", ":2:1: b:", ":4:1: budget.warn_at_percent:"}},
	} {
		t.Run(name, func(t *testing.T) { world{user: c.user}.fail(t, c.want...) })
	}
}

// TestErrorsInEveryLayer: a project's file is held to the same rules, and so are variables and flags.
// TestSessionBoundsAction: who lowers what a session may spend need not know of the other limit.
func TestSessionBoundsAction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte("[budget]\nsession_max_usd = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{SystemFile: path, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if c.Budget.PerActionMaxUSD != 5 || c.Origin("budget.per_action_max_usd").Line != 2 {
		t.Errorf("an action may cost %v (%v)", c.Budget.PerActionMaxUSD, c.Origin("budget.per_action_max_usd"))
	}
}

func TestErrorsInEveryLayer(t *testing.T) {
	world{workspace: "typo = 1"}.fail(t, "ws/.astrid/config.toml:1:1: typo: unknown key")
	world{system: "typo = 1"}.fail(t, "sys/config.toml:1:1: typo: unknown key")
	world{env: map[string]string{"ASTRID_WORKSPACE_MODE": "turbo"}}.fail(t, "$ASTRID_WORKSPACE_MODE: workspace.mode: unsupported value")
	world{env: map[string]string{"ASTRID_BUDGET_SESSION_MAX_USD": "much"}}.fail(t, "must be a number, not \"much\"")
	world{env: map[string]string{"ASTRID_BUDGET_SESSION_MAX_USD": "NaN"}}.fail(t, "finite positive")
	world{flags: []Setting{{"workspace.mod", "safe", "--set"}}}.fail(t, "--set: workspace.mod: unknown key; did you mean \"workspace.mode\"?")
	world{flags: []Setting{{"budget.tariff", "x", "--set"}}}.fail(t, "must be a table of numbers")
	world{flags: []Setting{{"security.policy.require_approval_for_delete", "maybe", "--set"}}}.fail(t, "must be true or false")
	c := world{flags: []Setting{{"security.policy.denied_hosts", "a.com,b.com", "--deny"}}}.load(t)
	if p := c.Security.Policy; values(p.DeniedHosts) != "a.com b.com" || p.DeniedHosts[0].Origin.String() != "--deny" {
		t.Errorf("denied hosts are %v", p.DeniedHosts)
	}
}

func TestFiles(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(o Options) error
		want  string
	}{
		"too large":       {func(o Options) error { return os.WriteFile(o.UserFile, make([]byte, 1<<20+1), 0o600) }, "exceeding the 1048576 byte limit"},
		"project large":   {func(o Options) error { return os.WriteFile(o.workspaceFile(), make([]byte, 64<<10+1), 0o600) }, "exceeding the 65536 byte limit"},
		"too many keys":   {func(o Options) error { return os.WriteFile(o.workspaceFile(), manyKeys(), 0o600) }, "more than the limit of 1000"},
		"too many items":  {func(o Options) error { return os.WriteFile(o.workspaceFile(), manyItems(), 0o600) }, "more than the limit of 10000"},
		"directory":       {func(o Options) error { return os.Mkdir(o.UserFile, 0o700) }, "not a regular file"},
		"fifo":            {func(o Options) error { return syscall.Mkfifo(o.workspaceFile(), 0o600) }, "not a regular file"},
		"project symlink": {func(o Options) error { return os.Symlink("/etc/passwd", o.workspaceFile()) }, "is a symlink"},
		"user file 0666": {func(o Options) error {
			return errors.Join(os.WriteFile(o.UserFile, nil, 0o600), os.Chmod(o.UserFile, 0o666))
		}, "written by every user"},
		"system file 0666": {func(o Options) error {
			return errors.Join(os.WriteFile(o.SystemFile, nil, 0o600), os.Chmod(o.SystemFile, 0o666))
		}, "written by every user"},
		"another's": {func(o Options) error {
			return errors.Join(os.WriteFile(o.UserFile, nil, 0o600), os.Chown(o.UserFile, 65534, -1))
		}, "belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another's" && os.Geteuid() != 0 {
				t.Skip("needs root, to give files to other users")
			}
			o := world{}.options(t)
			if err := c.spoil(o); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
	o := world{user: "storage = \"mem:\""}.options(t)
	if err := os.Symlink(o.UserFile, o.SystemFile); err != nil { // one's own files may be links
		t.Fatal(err)
	}
	if c, err := Load(o); err != nil || c.Storage != "mem:" {
		t.Errorf("through a symlink: %v", err)
	}
	if got := fmt.Sprint(o.Files()); !strings.Contains(got, "ws/.astrid/config.toml false}") || strings.Count(got, "true}") != 2 {
		t.Errorf("files are %s", got)
	}
}

func manyKeys() []byte {
	var b strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&b, "k%d = 1\n", i)
	}
	return []byte(b.String())
}

func manyItems() []byte {
	return []byte("[security.policy]\ndenied_hosts = [" + strings.Repeat("'a',", 10001) + "]")
}

func TestCheckHost(t *testing.T) {
	for host, ok := range map[string]bool{
		"a.com": true, "a.com:8443": true, "127.0.0.1": true, "[::1]": true, "[::1]:80": true, "localhost": true,
		"": false, "A.com": false, "a.com/x": false, "u@a.com": false, "a b": false, "https://a.com": false, "::1": false, "a.com?x": false,
	} {
		if msg := checkHost(host); (msg == "") != ok {
			t.Errorf("%q: %q", host, msg)
		}
	}
}

// TestHostileShapes: what makes the TOML library slow is refused before it is parsed.
func TestHostileShapes(t *testing.T) {
	for name, text := range map[string]string{
		"dotted key":     "\n" + strings.Repeat("a.", 30000) + "a = 1",
		"dotted header":  "\n[" + strings.Repeat("a.", 30000) + "a]",
		"inline tables":  "\n" + strings.Repeat("a={", 15000) + "a=1" + strings.Repeat("}", 15000),
		"arrays":         "\na = " + strings.Repeat("[", 30000) + strings.Repeat("]", 30000),
		"behind strings": "a = \"\"\"\n#\"\"\" # '\nb = '#' \n" + strings.Repeat("a.", 30000) + "a = 1",
	} {
		start := time.Now()
		world{workspace: text}.fail(t, "nested deeper than any configuration")
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	c := world{workspace: "security.policy.denied_hosts = [\"" + strings.Repeat(".", 100) + "\"] # " + strings.Repeat(".", 100)}.load(t)
	if len(c.Security.Policy.DeniedHosts) != 1 {
		t.Error("dots in strings and comments count")
	}
}

func TestNoticeOldFile(t *testing.T) {
	o := world{}.options(t)
	old := filepath.Join(filepath.Dir(filepath.Dir(o.UserFile)), "config.toml")
	if err := os.WriteFile(old, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(o)
	if err != nil || len(c.Notices) != 1 || c.Notices[0].String() != old+": is not read any more: move it to "+o.UserFile {
		t.Errorf("%v, %v", c.Notices, err)
	}
}

// TestItemOrigins: a denial names the line of its rule.
func TestItemOrigins(t *testing.T) {
	c := world{user: `[security.policy]
denied_hosts = [ # "no"
  "a.com", 'b.com',
  """
c.com""",   "d\"]\\.com",

  "e.com" ]
allowed_hosts = ["one.com", "two.com"]
[budget.tariff]
"api.a.com" = 0.5
"b.com:8443" = 1
`}.load(t)
	var got []string
	for _, it := range append(c.Security.Policy.DeniedHosts, c.Security.Policy.AllowedHosts...) {
		got = append(got, fmt.Sprintf("%q@%d:%d", it.Value, it.Origin.Line, it.Origin.Col))
	}
	for _, p := range c.Budget.Tariff {
		got = append(got, fmt.Sprintf("%s=%v@%d:%d", p.Host, p.USD, p.Origin.Line, p.Origin.Col))
	}
	want := `"a.com"@3:3 "b.com"@3:12 "c.com"@4:3 "d\"]\\.com"@5:13 "e.com"@7:3 "one.com"@8:18 "two.com"@8:29 api.a.com=0.5@10:2 b.com:8443=1@11:2`
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestLinks(t *testing.T) {
	c := world{user: `
[[identity.links]]
platform = "discord"
platform_user_id = "1"
astrid_user = "josh"

[[identity.links]]
platform = "telegram"
platform_user_id = "2"
astrid_user = "${WHO}"
method = "chat"
`, env: map[string]string{"WHO": "ann"}}.load(t)
	if l := c.Identity.Links; len(l) != 2 || l[0].AstridUser != "josh" || l[0].Method != "admin" || l[1].AstridUser != "ann" || l[1].Method != "chat" ||
		l[0].Origin.Line != 2 || l[1].Origin.Line != 7 {
		t.Errorf("links are %+v", c.Identity.Links)
	}
}
