// Package doctor looks at an installation and says what is wrong with it and what to do.
//
// It makes no home, starts no daemon and sends no key anywhere; in a home that is there it
// does no more than every command: it closes directories that are open to other users. Each
// check gives results of its own; one that cannot be made says so instead of passing.
package doctor
