package capability

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func seed() []byte {
	s := make([]byte, SeedSize)
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

func vectorKey(t testing.TB) *Key {
	t.Helper()
	k, err := NewKey(seed())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// vectorToken is the token of the package comment.
func vectorToken(t testing.TB) Token {
	k := vectorKey(t)
	v := Token{
		ID: uuid.MustParse("11111111-2222-4333-8444-555555555555"), Resource: "fs:read:///ws/**", Permissions: []Permission{Read},
		IssuedAt: time.Unix(1700000000, 0).UTC(), ExpiresAt: time.Unix(1700003600, 0).UTC(), Scope: Persistent,
		AuditID: uuid.MustParse("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"), Principal: "alice", Capsule: "files",
	}
	copy(v.Issuer[:], k.Public())
	copy(v.UserID[:], k.Public())
	sig, err := k.Sign(v.Payload())
	if err != nil {
		t.Fatal(err)
	}
	copy(v.Signature[:], sig)
	return v
}

func TestVectorOfPackageComment(t *testing.T) {
	v := vectorToken(t)
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"payload":   hex.EncodeToString(v.Payload()),
		"hash":      v.HashText(),
		"signature": base64.StdEncoding.EncodeToString(v.Signature[:]),
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("doc.go does not hold the %s %s", name, want)
		}
	}
	if err := v.Verify(vectorKey(t).Public()); err != nil {
		t.Error(err)
	}
}

// TestVersion1Fields builds the token of the version 1 vector in the specification: version
// 2 must differ from it in the first byte and in what follows the last field only.
func TestVersion1Fields(t *testing.T) {
	const v1 = "011000000011111111222243338444555555555555120000006d63703a2f2f66696c6573797374656d3a2a0200000006000000696e766f6b65040000007265616400f15365000000000110ff5365000000000a00000070657273697374656e7403a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b803a107bff3ce10be10000000aaaaaaaabbbb4ccc8dddeeeeeeeeeeee00"
	v := vectorToken(t)
	v.Resource, v.Permissions, v.Principal, v.Capsule = "mcp://filesystem:*", []Permission{Invoke, Read}, "p", ""
	got := v.Payload()
	want, _ := hex.DecodeString(v1)
	want[0] = 2
	want = append(want, 1, 0, 0, 0, 'p', 0, 0, 0, 0)
	if !bytes.Equal(got, want) {
		t.Errorf("payload\n %x\nwant\n %x", got, want)
	}
	if _, err := DecodePayload(append([]byte{1}, got[1:]...)); err == nil {
		t.Error("version 1 was accepted")
	}
}

// TestEachFieldIsSigned changes one field at a time.
func TestEachFieldIsSigned(t *testing.T) {
	key := vectorKey(t).Public()
	for name, change := range map[string]func(*Token){
		"id":          func(k *Token) { k.ID[0]++ },
		"resource":    func(k *Token) { k.Resource = "fs:read:///**" },
		"permissions": func(k *Token) { k.Permissions = append(k.Permissions, Write) },
		"issued":      func(k *Token) { k.IssuedAt = k.IssuedAt.Add(time.Second) },
		"expires":     func(k *Token) { k.ExpiresAt = k.ExpiresAt.Add(time.Hour) },
		"no expiry":   func(k *Token) { k.ExpiresAt = time.Time{} },
		"scope":       func(k *Token) { k.Scope = Session },
		"issuer":      func(k *Token) { k.Issuer[3]++ },
		"user":        func(k *Token) { k.UserID[0]++ },
		"audit":       func(k *Token) { k.AuditID[15]++ },
		"single use":  func(k *Token) { k.SingleUse = true },
		"principal":   func(k *Token) { k.Principal = "mallory" },
		"capsule":     func(k *Token) { k.Capsule = "" },
		"signature":   func(k *Token) { k.Signature[7] ^= 1 },
	} {
		k := vectorToken(t)
		change(&k)
		if err := k.Verify(key, ed25519.PublicKey(make([]byte, 32))); err == nil {
			t.Errorf("%s: a changed token verifies", name)
		}
	}
}

func TestTokenJSONRoundTrip(t *testing.T) {
	v := vectorToken(t)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var got Token
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(vectorKey(t).Public()); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"version 1":    strings.Replace(string(b), `"v":2`, `"v":1`, 1),
		"no version":   strings.Replace(string(b), `"v":2,`, ``, 1),
		"unknown key":  strings.Replace(string(b), `"v":2`, `"v":2,"x":1`, 1),
		"half second":  strings.Replace(string(b), `22:13:20Z`, `22:13:20.5Z`, 1),
		"no principal": strings.Replace(string(b), `"alice"`, `""`, 1),
		"permission":   strings.Replace(string(b), `["read"]`, `["root"]`, 1),
		"scope":        strings.Replace(string(b), `"persistent"`, `"forever"`, 1),
		"short key":    strings.Replace(string(b), `"issuer":"A6EH`, `"issuer":"`, 1),
		"no audit id":  strings.Replace(string(b), `aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee`, `00000000-0000-0000-0000-000000000000`, 1),
	} {
		if bad == string(b) {
			t.Errorf("%s: the test changed nothing", name)
		}
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
