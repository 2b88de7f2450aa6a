package host

import (
	"testing"

	"github.com/unicity-astrid/astrid-go/abi"
)

// TestSecretsStay: the key-value functions neither show, change nor clear secrets.
func TestSecretsStay(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := newCapsule(everythingGrants())
	g := r.guest(c)
	secret := "default:guest:" + secretPrefix + "api"
	for _, prefix := range []string{"", "_", "__", "__secret"} {
		r.store.m[secret] = []byte("sk")
		r.store.m["other:guest:a"] = []byte("1")
		g.want("", abi.KvSet, "__a", "1")
		g.want("", abi.KvSet, "__secretary", "1")
		g.want(map[string]string{"": "2", "_": "2", "__": "2", "__secret": "1"}[prefix], abi.KvClearPrefix, prefix)
		if string(r.store.m[secret]) != "sk" || len(r.store.m) < 2 {
			t.Fatalf("clearing %q left %v", prefix, r.store.m)
		}
		g.want("", abi.KvDelete, "__a")
	}
	g.want("[]", abi.KvListKeys, "")
	for _, key := range []string{secretPrefix, secretPrefix + "api"} {
		g.refused(abi.CodeDenied, "secrets", abi.KvGet, key)
		g.refused(abi.CodeDenied, "secrets", abi.KvSet, key, "x")
		g.refused(abi.CodeDenied, "secrets", abi.KvDelete, key)
		g.refused(abi.CodeDenied, "secrets", abi.KvListKeys, key)
		g.refused(abi.CodeDenied, "secrets", abi.KvClearPrefix, key)
	}
}

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
