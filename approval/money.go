package approval

import (
	"errors"
	"fmt"
	"math"
)

// Micros is an amount of money in millionths of a US dollar. Budgets add integers only: sums of floats drift.
type Micros int64

const (
	microsPerUSD = 1_000_000
	// maxMicros (a billion dollars) keeps every sum far from overflow.
	maxMicros = Micros(1_000_000_000) * microsPerUSD
)

// ErrAmount: an amount of money is negative, not a number, infinite or absurdly large.
var ErrAmount = errors.New("not an amount of money")

// FromUSD converts dollars, rounding up, so that many small costs do not round to nothing.
func FromUSD(usd float64) (Micros, error) {
	if math.IsNaN(usd) || usd < 0 || usd > float64(maxMicros/microsPerUSD) {
		return 0, fmt.Errorf("%w: %v USD", ErrAmount, usd)
	}
	// A value such as 0.07 times a million is 70000.00000000001: without the tolerance it would become 70001.
	exact := usd * microsPerUSD
	return Micros(math.Ceil(exact - exact*1e-12)), nil
}

// USD converts to dollars, for display and for the wire.
func (m Micros) USD() float64 { return float64(m) / microsPerUSD }

// String writes dollars with two to six decimals.
func (m Micros) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	frac := fmt.Sprintf("%06d", m%microsPerUSD)
	for len(frac) > 2 && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	return fmt.Sprintf("%s$%d.%s", sign, m/microsPerUSD, frac)
}
