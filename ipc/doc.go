// Package ipc moves messages between the kernel, capsules and clients.
//
// A [Message] is an envelope around an immutable [Payload]. Publishers hand it to a
// [Bus], which puts the same pointer into the queue of each [Subscription] that wants
// it: nobody may change a message once it was published.
//
// # Order
//
// Messages published one after the other by one goroutine reach each subscription in
// that order, whatever their topics. Messages of concurrent publishers reach different
// subscriptions in orders that may differ. Seq is unique and grows for one publisher;
// across publishers it numbers messages, it does not promise the order of arrival.
//
// # Matching
//
// Topics are segments joined by dots. A pattern has as many segments as the topics it
// matches, "*" stands for any one segment; for delivery ([Match]) a last "*" after at
// least one other segment stands for one or more. Access lists and interceptors use
// [MatchExact], where it is always one. A subscription sees what is published after it
// was made, each message once, even if several of its patterns match.
//
// # Queues, loss and back-pressure
//
// Each subscription has a queue of its own, so traffic that it did not ask for never
// touches it. It is bounded in messages and in bytes ([Room], which several subscriptions
// of one owner may share). Publish does not wait. What happens when a queue is full is
// the subscription's choice:
//
//   - [RejectNew]: the subscription misses the new message. All others still get it,
//     and Publish returns a [*QueueFullError] that names who missed it.
//   - [DropOldest]: the oldest waiting message makes room. [Subscription.Lagged]
//     counts what was lost this way; the publisher is not told.
//   - [Close]: the subscription ends with [ErrOverflow]. This is for clients, which
//     notice a lost connection but not a lost message.
//
// [Bus.Stats] counts all three. Nothing else loses a message: one that was accepted stays
// queued until it is received or the subscription is closed.
//
// # Cost
//
// A publish looks up the topic's own subscriptions in a map and walks a tree of the
// patterns with wildcards, one step for each segment; subscriptions to other topics cost nothing.
package ipc
