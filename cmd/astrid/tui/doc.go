// Package tui is the chat screen: one session of one daemon on a terminal.
//
// Three parts, each in the dark about the others' insides:
//
//   - [Model] is the state of the screen. It changes only by messages (keys, what the daemon
//     said, ticks) and does no I/O, so that tests drive it without a terminal or a daemon.
//   - link is the connection. It runs on goroutines of its own, turns what the daemon sends
//     into messages, connects again when the connection is lost, and carries out what the
//     model asks for, in order.
//   - The views turn state into lines. Lines of an item are cached; only items on the screen
//     are rendered, so that a long session opens and scrolls as fast as a short one.
//
// Over the conversation there may be a page (/diff, /audit, …): one list with details for all
// of them, each described by a [pageSpec]. Over both come questions of the gate (dialog) and of
// capsules (form); they take no keys for a moment after they appear. [Snapshot] drives the same
// model and link without a terminal.
//
// Everything that a model, a tool or a capsule said is hostile text: control characters are
// shown, never sent to the terminal.
package tui
