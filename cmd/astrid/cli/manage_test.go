package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/audit"
)

// hostile tries to act on a terminal, or to be read as something else.
const hostile = "\x1b[2J\x1b]52;c;x\x07\u202eevil\u200b\r\nDENY"

// checkShown fails when text for people could act on their terminal.
func checkShown(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U reaches the terminal in %q", r, text)
		}
	}
}

func TestHostileTextIsEscaped(t *testing.T) {
	var out bytes.Buffer
	sys := System{Stdout: &out, Stderr: &out}
	r := abi.ApprovalInfo{ID: hostile, Capsule: hostile, Session: hostile, Workspace: hostile, Action: hostile, Resource: hostile,
		Method: hostile, Detail: hostile, Reason: hostile, Rule: hostile, Source: hostile, Risk: hostile,
		Choices: []abi.ApprovalChoice{{Decision: "approve", Grants: hostile}}}
	if err := printApproval(sys, r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(out.String(), "\n")
	checkShown(t, out.String())
	if lines != 17 { // one for each value, and the answers
		t.Errorf("a text broke out of its line: %d lines in\n%s", lines, out.String())
	}
	out.Reset()
	g := abi.GrantInfo{ID: hostile, Kind: "token", Capsule: hostile, Session: hostile, Workspace: hostile, Pattern: hostile, Problem: hostile, AuditID: hostile, Status: "active"}
	if err := printGrant(sys, g); err != nil {
		t.Fatal(err)
	}
	checkShown(t, out.String())

	e := audit.Entry{Draft: audit.Draft{Kind: audit.KindDecision, Session: hostile, Capsule: hostile, Via: []string{hostile}, Function: hostile,
		Action: hostile, Resource: hostile, Verdict: audit.Deny, Layer: hostile, Rule: hostile, Source: hostile, Reason: hostile,
		Proof: audit.Proof{Kind: "token", ID: hostile, Hash: hostile, By: hostile}, Type: hostile}}
	line := entryLine(&e)
	checkShown(t, line)
	if strings.Contains(line, "\n") {
		t.Errorf("an entry takes two lines: %q", line)
	}
	out.Reset()
	if err := details(&out, entryDetails(&e)); err != nil {
		t.Fatal(err)
	}
	if err := (&explanation{Entry: e, Summary: summary(&e), data: decisionData{Granted: hostile, RequestID: hostile, Risk: hostile, Method: hostile}}).print(sys); err != nil {
		t.Fatal(err)
	}
	checkShown(t, out.String())
}

func TestByPrefix(t *testing.T) {
	ids := []string{"abc1", "abc2", "abd", "ab"}
	for typed, want := range map[string]string{"abc1": "abc1", "abd": "abd", "ab": "ab", "abc": "", "a": "", "x": "", "": ""} {
		got, err := byPrefix(ids, func(s string) string { return s }, typed, "thing", "the list")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"":                     {},
		"15m":                  now.Add(-15 * time.Minute),
		"1h30m":                now.Add(-90 * time.Minute),
		"3d":                   now.Add(-72 * time.Hour),
		"2026-01-31T15:04:05Z": time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
		"2026-01-31 15:04":     time.Date(2026, 1, 31, 15, 4, 0, 0, time.Local),
	} {
		got, err := parseTime("--since", in, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, bad := range []string{"yesterday", "-1h", "2026-13-01", "d", "-3d", "15:04"} {
		if got, err := parseTime("--since", bad, now); codeOf(err) != ExitUsage {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func TestClipKeepsBothEnds(t *testing.T) {
	long := "HEAD" + strings.Repeat("é", 500) + "TAIL"
	got := clip(long)
	if n := len([]rune(got)); n != maxCell || !strings.HasPrefix(got, "HEAD") || !strings.HasSuffix(got, "TAIL") || !strings.Contains(got, "…") {
		t.Errorf("%d characters: %q", n, got)
	}
	if got := clip("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}

func TestMoneyAndAges(t *testing.T) {
	now := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{-time.Second: "0s", 5 * time.Second: "5s", 90 * time.Second: "1m", 26 * time.Hour: "26h", 72 * time.Hour: "3d"} {
		if got := ago(now.Add(-d), now); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	if usd(0) != "" || usd(0.0125) != "$0.0125" || limit(0) != "unlimited" || limit(10) != "$10.00" {
		t.Errorf("amounts are %q %q %q %q", usd(0), usd(0.0125), limit(0), limit(10))
	}
}
