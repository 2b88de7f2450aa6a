// Package storage keeps the daemon's state: an ordered map from keys to values behind one interface, [Engine].
//
// Engines are chosen by a specification of the form "scheme:rest", so that configuration can name one:
//
//	mem:             a map in memory, gone when closed (tests, throw-away daemons)
//	bolt:/abs/path   one file, embedded (the default)
//
// The contract, which the suite in storagetest checks for each engine:
//
//   - Keys are non-empty byte strings of at most [MaxKeyBytes]; values have at most [MaxValueBytes]. Both may hold any byte.
//     Keys are ordered by their bytes.
//   - A write that returned nil is durable (in an engine that is durable at all) and every later read sees it. A write that
//     returned an error did not happen, except after an I/O error from the disk, when it may or may not have.
//   - Writes are atomic one by one, and Update makes several of them one. Updates are serializable.
//   - A context that ends before a write has begun stops it. One that ends later does not: the caller then waits for the
//     commit, so that it always learns what became of the write.
//   - Scan and List see every key that is there during the whole call. Keys that come or go meanwhile may be missed or seen.
//   - Watch reports every change that is committed after it returned, in commit order. A watcher that does not keep up is told
//     so with a [Lost] event, and dropped; nothing is skipped in silence.
//
// Nothing above assumes that one process owns the data, so that an engine on a cluster can keep the same promises.
//
// Leaf packages declare the small interface that they need and cannot import this package's errors. Therefore [ErrNotFound]
// is an fs.ErrNotExist and [ErrConflict] an fs.ErrExist, as errors.Is sees them.
package storage
