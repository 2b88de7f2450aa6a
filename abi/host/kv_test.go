package host

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

func TestKeys(t *testing.T) {
	r := newRig(t, rigOptions{})
	g := r.guest(newCapsule(everythingGrants()))
	for _, key := range []string{"", "a\x00b", "a\xff"} {
		g.refused(abi.CodeInvalid, "key", abi.KvGet, key)
		g.refused(abi.CodeInvalid, "key", abi.KvSet, key, "x")
	}
	// The namespace is that of the call's principal.
	g.want("", abi.KvSet, "k", "of default")
	g.call = &Call{Principal: "alice"}
	g.want("", abi.KvGet, "k")
	g.want("", abi.KvSet, "k", "of alice")
	g.call = &Call{Principal: "default"}
	g.want("of default", abi.KvGet, "k")
}
