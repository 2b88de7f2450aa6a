package abi

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCodes(t *testing.T) {
	seen := make(map[string]bool)
	for c := OK; c <= CodeInternal; c++ {
		if name := c.String(); name == "" || seen[name] || strings.HasPrefix(name, "code_") {
			t.Errorf("code %d is called %q", c, name)
		}
		seen[c.String()] = true
	}
	if len(codeNames) != int(CodeInternal)+1 {
		t.Errorf("%d names for %d codes", len(codeNames), CodeInternal+1)
	}
	if got := Code(999).String(); got != "code_999" {
		t.Error(got)
	}
}

func TestErrorIs(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", Errorf(CodeNotFound, "no %s", "such"))
	if !errors.Is(err, ErrNotFound) || errors.Is(err, ErrDenied) || errors.Is(err, Errorf(CodeNotFound, "no such")) {
		t.Error("errors compare by code, and only with sentinels")
	}
	if err.Error() != "wrapped: no such" {
		t.Error(err)
	}
}
