// Package cli is the astrid command line.
//
// Standard output carries what was asked for and nothing else; everything about the run
// goes to standard error. Exit codes are a contract, see the Exit constants.
package cli
