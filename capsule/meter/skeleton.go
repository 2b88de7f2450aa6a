package meter

import (
	"math"

	"github.com/zeebo/blake3"
)

// SkeletonName is the custom section of a [Skeleton] with the BLAKE3 hash of the module that it was made of.
const SkeletonName = "astrid.skeleton"

// trapBody is the smallest body that is valid for every function: its size, no locals, unreachable, end.
var trapBody = []byte{3, 0, 0x00, 0x0b}

// Skeleton returns a rewritten module with all of its bodies replaced by one that traps, and
// nothing else changed. A runtime that has the machine code of the module already needs no more
// than that, and bodies are what takes it long to read and to validate. Two modules that differ
// have skeletons that differ.
func Skeleton(metered []byte) ([]byte, error) {
	secs, err := split(metered, Options{MaxCustom: math.MaxInt})
	if err != nil {
		return nil, err
	}
	out := []byte(magic)
	for _, sec := range secs {
		payload := sec.r.b
		if sec.id == secCode {
			n := sec.r.count("bodies", len(payload))
			if sec.r.err != nil {
				return nil, sec.r.err
			}
			payload = appendU32(nil, uint32(n))
			for range n {
				payload = append(payload, trapBody...)
			}
		}
		out = appendSection(out, sec.id, payload)
	}
	sum := blake3.Sum256(metered)
	return appendCustom(out, SkeletonName, sum[:]), nil
}
