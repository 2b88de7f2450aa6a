// Package time tells the time of the host.
package time

import (
	"fmt"
	"strconv"
	stdtime "time"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// Now returns the host's time in UTC, to the millisecond. Unlike the standard library's
// it follows the clock of a fake host in tests.
func Now() stdtime.Time {
	ms, err := Millis()
	if err != nil {
		return stdtime.Now().UTC() // a guest's own clock is the same one
	}
	return stdtime.UnixMilli(ms).UTC()
}

// Millis returns the host's time in milliseconds since the Unix epoch.
func Millis() (int64, error) {
	b, err := link.Call(abi.ClockMs)
	if err != nil {
		return 0, err
	}
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: answer: %w", abi.ClockMs, err)
	}
	return ms, nil
}
