// Package capability is the second layer of the gate: it keeps the runtime key, and the
// signed tokens with which a user has agreed to an action beforehand.
//
// # Resource strings and patterns
//
// A resource string says what one action is about. The host makes it from the call, for
// example fs:read:///home/u/a.txt, net:https://api.example.com:443/v1/chat,
// exec:///usr/bin/git status, mcp:files:list, kv:theme. It begins with a scheme: one word,
// and for fs, net and ipc two ("fs:read", "net:https", "ipc:publish"). [ParseResource]
// lists what it refuses.
//
// A pattern is a resource string in which, after the scheme,
//
//   - stands for any bytes but '/', also none
//     **  stands for any bytes, also none
//     \*  is a '*' and \\ a '\'
//
// and every other byte stands for itself: there are no classes, no alternatives and no
// '?', which begins the query of a URL. A pattern matches the whole string, case counts,
// and nothing is normalized: a resource that would need it matches nothing. So /ws/**
// covers what is below /ws and not /ws itself, and exec:///usr/bin/git with
// exec:///usr/bin/git ** covers git without and with arguments. A wildcard never reaches
// from the host of a URL into its path.
//
// # Tokens
//
// A token binds a pattern and permissions to one principal and, unless its capsule is
// empty, to one capsule. The permission an action needs follows from its scheme: read,
// write and delete for fs, execute for exec, invoke for all others. It is signed with
// ed25519 over payload version 2. LP(x) is a 4 byte little-endian length and then x:
//
//	 1  02                                   version
//	 2  LP(id)                               16 bytes of the UUID
//	 3  LP(pattern)                          UTF-8
//	 4  u32 LE count, LP(permission) each    in stored order
//	 5  i64 LE                               issued at, Unix seconds, above 0
//	 6  00, or 01 and i64 LE                 expiry, Unix seconds
//	 7  LP(scope)                            "session" or "persistent"
//	 8  32 bytes                             public key of the issuer
//	 9  8 bytes                              user id
//	10  LP(approval audit id)                16 bytes of the UUID
//	11  00 or 01                             single use
//	12  LP(principal)
//	13  LP(capsule)                          empty: any
//
// Fields 2 to 11 are those of version 1, which named no principal; version 1 is refused.
// The content hash is the BLAKE3-256 of the payload. The JSON of a token has the same
// fields by name (see [Token.MarshalJSON]), times as RFC 3339 in whole seconds.
//
// Test vector: seed 00 01 … 1f, id 11111111-2222-4333-8444-555555555555, pattern
// fs:read:///ws/**, permission read, issued 1700000000, expires 1700003600, persistent,
// user id the first eight bytes of the public key, approval audit id
// aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee, not single-use, principal alice, capsule files:
//
//	payload    0210000000111111112222433384445555555555551000000066733a726561643a2f2f2f77732f2a2a01000000040000007265616400f15365000000000110ff5365000000000a00000070657273697374656e7403a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b803a107bff3ce10be10000000aaaaaaaabbbb4ccc8dddeeeeeeeeeeee0005000000616c6963650500000066696c6573
//	hash       a46594831394c4e41e673d5631f06c973eafa92164cae7f14be5ffc160adf996
//	signature  9oTiDcdzk/s8tE8R9MBf/jJklpoKayvHLMQFBXhv88SeJ76/BW1xSjdSdjk4bipI3f/cszKr0Fz//zK+FJslCw==
//
// # Use
//
// [Tokens.Find] looks for a token and takes nothing. [Match.Claim] makes it count, after
// all layers have agreed and before the effect; [Match.Release] takes that back if the
// decision then cannot be recorded. A crash in between leaves a single-use token used.
//
// Signatures are verified once per token; what was verified is remembered for one epoch,
// a counter in the store that every change to a principal's tokens advances and every
// Find and Claim reads. A revocation is therefore effective everywhere when
// [Tokens.Revoke] returns.
//
// # Cases of v0.5.0
//
//	pattern     TestPatternMatch TestPatternRefused TestNarrowerGrantsNoMore TestMatchAgainstReference
//	token       TestVectorOfPackageComment TestEachFieldIsSigned TestTokenJSONRoundTrip TestExpiry
//	store       TestMemStore TestFind TestRevoke TestSingleUse TestStoredTokensAreNotBelieved TestStoreFails
//	validator   TestIssuers TestFind
//	crypto      TestKeySignsUntilClosed TestLoadKeyRefuses TestOpenKeyOnce
//
// Left out: version 1 of the payload, which names no principal and is refused (TestVersion1Fields); glob classes and
// `mcp://` addresses, which are mcp:server:tool here; a pattern or resource that would need `..` resolved is refused or
// matches nothing.
package capability
