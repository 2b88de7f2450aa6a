package providertest

import (
	"slices"
	"testing"
)

// Fuzz lets a provider read whatever a server may send: nothing breaks it, each request ends once, and how the bytes
// are cut into pieces changes nothing.
func Fuzz(f *testing.F, id string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(s[:len(s)*2/3])
	}
	f.Fuzz(func(t *testing.T, in string) {
		whole := Play(t, id, in, len(in)+1)
		for _, piece := range []int{1, 7} {
			parts := Play(t, id, in, piece)
			if !slices.Equal(whole.Events, parts.Events) || whole.Error != parts.Error || whole.Reason != parts.Reason || whole.Failure != parts.Failure {
				t.Errorf("%+v\nbut in pieces of %d\n%+v", whole, piece, parts)
			}
		}
	})
}
