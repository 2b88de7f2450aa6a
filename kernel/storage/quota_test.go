package storage

import (
	"errors"
	"fmt"
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestQuotaIsALimitToGuests: the host functions tell codes apart with errors.Is.
func TestQuotaIsALimitToGuests(t *testing.T) {
	err := fmt.Errorf("put: %w", ErrQuota)
	if !errors.Is(err, ErrQuota) || !errors.Is(err, abi.ErrLimit) || errors.Is(err, abi.ErrDenied) {
		t.Errorf("%v is not the limit it should be", err)
	}
}
