package log_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/log"
	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func TestLines(t *testing.T) {
	h := sdktest.New(t)
	log.Trace("a")
	log.Debug("b", "k", 1, "e", errors.New("no way"))
	log.Info("c", "k", "", "l", "x\ny", "m", true)
	log.Warn("d", "odd")
	log.Error(strings.Repeat("é", abi.MaxLogMessage))
	l := slog.New(log.NewHandler(log.Options{}))
	l.Debug("not written")
	l.With("a", 1).WithGroup("g").With("b", "x y").Warn("e", "c", 2, slog.Group("in", "d", 3))
	slog.New(log.NewHandler(log.Options{Level: slog.LevelDebug})).Debug("f")
	want := []sdktest.LogLine{
		{Level: "trace", Message: "a"},
		{Level: "debug", Message: `b k=1 e="no way"`},
		{Level: "info", Message: `c k="" l="x\ny" m=true`},
		{Level: "warn", Message: `d !BADKEY=odd`},
		{Level: "error", Message: strings.Repeat("é", abi.MaxLogMessage/2)},
		{Level: "warn", Message: `e a=1 g.b="x y" g.c=2 g.in.d=3`},
		{Level: "debug", Message: "f"},
	}
	got := h.Logs()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %.80q, want %.80q", i, got[i], want[i])
		}
	}
}
