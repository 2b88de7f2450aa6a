// Package watch tells when files below some directories have come to rest after a change.
//
// What people do to a tree (an editor that saves, a checkout, an installation) is many events. A report comes
// once nothing has happened for a while, and says no more than that something is different: whoever is told
// looks for itself. Digest tells whether anything is really different.
package watch
