// Package e2e proves that the programs do what the README says: it builds astrid and astrid-daemon,
// runs them as a user would, and looks at what they print, how they exit and what they
// leave on disk. It holds tests only.
//
// Each test has a home of its own, copied from a template that `astrid init` made once.
// The copy has the compile cache, so that a daemon boots in a fraction of a second. Providers are the offline one and
// [github.com/unicity-astrid/astrid-go/testdata/fakeopenai] on the loopback interface.
package e2e
