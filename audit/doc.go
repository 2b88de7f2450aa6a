// Package audit keeps what was decided and done: for each principal one chain of signed
// entries, each linked to the one before it. The gate appends the entry of a decision
// before the effect starts; if that fails, the effect does not happen.
//
// # What is recorded
//
// A decision entry says who (principal, session, capsule, call chain) wanted what
// (function, action, resource), the verdict, which layer and rule gave it, from which file
// and line, and what authorized it. An outcome entry refers to a decision. It is written
// only if the effect failed, if it has a cost, or if the caller asks for it; a decision to
// allow without outcome entry means that the effect reported success at no cost, or that
// the daemon ended before it did. Events are the kernel's own acts. Records are what
// capsules add, with a type and a JSON object of their own. Repairs are written by the
// log when it has mended a chain.
//
// # Appending
//
// Of two appends to one chain, one comes first: placing an entry is one critical section.
// Signing is outside of it, on all cores, because the link covers an entry's signed bytes
// and not its signature. A committer writes what has gathered, calls fsync once, saves the
// head in the anchor, and then answers everyone who waits. While entries of a batch are being
// signed it stays open for others. [Draft.MayLag] entries are
// answered at once and reach the disk within [Options.MaxLag]; while the disk is further
// behind than that, they wait like all others.
//
// A chain whose store, anchor or signer failed takes no entries for [Options.RetryAfter], then the next append opens it
// again as after a crash: a disk that was full ends nothing for good. Where fsync failed only [Log.Reopen] or the next
// process does that.
// One that contradicts its anchor takes none until [Log.Restart], which keeps the old one.
//
// # Truncation and crashes
//
// An entry is answered for only after the anchor has it, so the anchor lags behind the log
// by entries nobody was answered for, and the log is never shorter than the anchor says
// unless it was cut. When a chain is opened, genuine entries beyond the anchor are adopted,
// what follows them and is no entry is cut off, and a repair entry records both. An anchor
// is stored before the first segment, so that a chain without anchor shows too. Against
// somebody who can put back an older log together with the older anchor nothing stored on
// this machine helps: export heads, or keep the anchor elsewhere.
//
// # Format, version 2
//
// A chain is a directory of segments, JSON lines in files named by the sequence number of
// their first entry, 20 digits, and ".jsonl"; the last one grows, and a new one is begun
// when it has reached [Options.SegmentSize]. Each line is one entry: UTF-8, no spaces
// between tokens, keys in this order, those in brackets left out when empty:
//
//	v kind id seq time [behind_ns] principal [session] [capsule] [via] [function]
//	[action] [resource] [verdict] [layer] [rule] [source] [reason]
//	[proof{kind [id] [hash] [by]}] [cost_usd] [of] [outcome{status [text]}]
//	[type] [data] prev key sig
//
// Strings escape '"', '\' and control characters below U+0020 (\b \t \n \f \r, else
// \u00xx in lower case) and nothing else. time is UTC with nine digits of fraction;
// behind_ns says by how many nanoseconds the clock was behind the entry before, whose time
// is then repeated. id is a UUIDv7 of that time, greater than the one before it. seq counts
// from 1. cost_usd is a decimal without exponent. data is a compact JSON object that does
// not escape < > & U+2028 U+2029. key is the public key in base64, sig the signature in base64. There is one spelling of each
// entry, and [DecodeLine] refuses all others.
//
// The body of a line is everything before `,"sig":`. sig is the ed25519 signature (RFC
// 8032) of the 21 bytes "astrid audit entry 2" and NUL, followed by the body. prev is the
// BLAKE3-256 of the body of the entry before it, 64 hex digits, 64 zeros in the first.
//
// A head, as anchors and exported files hold it, is a line of the keys
//
//	v head seq hash time key sig
//
// where head is the principal, seq and hash are those of the last entry (0 and zeros for an
// empty chain), and the signature is over "astrid audit head 2", NUL and the body.
//
// Test vectors, for the key with seed 00 01 … 1f:
//
//	{"v":2,"kind":"decision","id":"018bcfe5-687b-7742-8000-000000000001","seq":1,"time":"2023-11-14T22:13:20.123456789Z","principal":"alice","session":"s\t1","capsule":"http","via":["agent"],"function":"astrid_http_request","action":"net_request","resource":"net:https://api.example.com:443/<a>&b","verdict":"allow","layer":"token","rule":"net:https://api.example.com:443/**","source":"/home/u/.astrid/etc/config.toml:7","reason":"covered by a token","proof":{"kind":"token","id":"11111111-2222-4333-8444-555555555555","hash":"a46594831394c4e41e673d5631f06c973eafa92164cae7f14be5ffc160adf996"},"prev":"0000000000000000000000000000000000000000000000000000000000000000","key":"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=","sig":"SOHxx/JwuB0suI8OExu9ANieNvcpvM0aSTjGJpxeN7+HhTOQb0u0nUVdxji6zlVcZ+cEK2vUgZivZiITPt3uBw=="}
//	{"v":2,"kind":"outcome","id":"018bcfe5-687b-7742-8000-000000000002","seq":2,"time":"2023-11-14T22:13:20.123456789Z","behind_ns":1500000000,"principal":"alice","capsule":"http","cost_usd":0.0125,"of":"018bcfe5-687b-7742-8000-000000000001","outcome":{"status":"failure","text":"status 500"},"data":{"bytes":[12]},"prev":"6f7633b63a92c98464fada5e381a1390ef91699dee841b71f44f18dc14859266","key":"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=","sig":"C4RZisYRpXts73jqusWNT1gDWJJLON6QvhyxrqLYrPKHDfF20A5DYbeOA/xaLvoArm1ppD8/G2WBHVWtLfGSAw=="}
//	{"v":2,"head":"alice","seq":2,"hash":"91c51bdb0af027f28adcf48f39957da51d08af8ef174b8e829b5f62046d107ef","time":"2023-11-14T22:13:20.123456789Z","key":"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=","sig":"cFyBJY6s4lNMrTIK77QiWleuqnit5B3JjbyqcSKSIJYR0uBVfpKo/OyM8h4xKgowXx1mGkw/FpK2GxmbMRDiAQ=="}
//
// prev of the second line is the hash of the first one's body, hash of the head that of
// the second's.
//
// # Cases of v0.5.0
//
//	entry     TestAppendLinksAndReadsBack TestVectorsOfPackageComment TestDraftRefused TestEveryBitCounts
//	log       TestVerifyIntact TestTamper TestOldKey TestClockSetBack TestQuery TestHammer
//	storage   TestRecover TestLocked TestFileStoreRefusesLinks TestKilled
//
// Left out: chains of sessions and of the system, because there is one chain for each principal; entry version 1; the
// key in an entry as its own trust, because a rewrite with any key would verify: keys are named to the verifier.
//
// # Keeping
//
// Nothing is deleted: a log that forgets by itself can be made to forget. When it is too long, or broken, [Log.Restart]
// (`astrid audit restart`) puts it aside; the new chain's first entry holds the old one's last number and hash, so
// that an archived chain can be proved to be the one that went before.
package audit
