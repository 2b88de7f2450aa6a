// Package remote fetches capsules and distributions over the network.
//
// A source is @org/name[@version] on the release host, github.com/org/name, or the https address of a file.
// A release is a tree of files that any web server can mirror:
//
//	<base>/<org>/<name>/releases/latest/download/<asset>
//	<base>/<org>/<name>/releases/download/v<version>/<asset>
//
// with the assets <name>.capsule (or astrid-<name>.capsule) and beside it the same name with .blake3 or .sha256
// added: the hash in hex, with or without a file name behind it. Nothing is used whose hash was not checked.
//
// Servers are hostile: what they send is bounded in size and time, only https is spoken, and neither an address
// nor a redirect reaches a private network. The one exception is the host and port of the base address itself,
// which the user has configured: it may be plain http and local.
package remote
