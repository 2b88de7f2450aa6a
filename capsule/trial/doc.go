// Package trial runs a capsule by itself, for those who build it: loaded, metered and bounded by its manifest as
// in a daemon, against a host whose effects stay in it.
//
// Keys and secrets are in memory, files in a directory of the trial, questions have prepared answers, messages go
// to nobody. There is no network, no program and no other capsule. Every call of the guest is recorded in order,
// so that two runs can be compared.
package trial
