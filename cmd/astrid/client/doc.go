// Package client is the CLI's side of the daemon's socket: it finds or starts the daemon,
// sends frames, and receives the messages it subscribed to.
package client
