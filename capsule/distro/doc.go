// Package distro installs a chosen set of capsules at once.
//
// Distro.toml lists capsules, the variables that the user is asked for, and groups of alternative providers
// to choose from. Installing one puts every selected capsule into a store, writes the users' answers to the
// env files, checks that the whole would load, and only then writes Distro.lock: what was installed, with the
// hash of each binary. A lock therefore always describes a working installation, and its hashes can pin a
// later one.
package distro
