// Package trial runs a capsule by itself, for those who build it: loaded, metered and bounded by its manifest as
// in a daemon, against a host whose effects stay in it.
//
// Keys and secrets are in memory, files in a directory of the trial. What the network, programs, other capsules and
// people would answer is prepared ([Recorded], Options.Answers); there is nothing else of them. Every call of the guest
// is recorded in order, so that two runs can be compared.
package trial
