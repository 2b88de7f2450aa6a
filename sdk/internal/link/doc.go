// Package link is the one place where a capsule meets the host.
//
// Compiled for wasip1 it is the native calling convention of package abi: 49
// imports, astrid_link.take, and the parking of outputs. Compiled for anything
// else it forwards calls to a [Host] installed by package sdktest, so that a
// capsule's handlers run and are tested as plain Go.
package link
