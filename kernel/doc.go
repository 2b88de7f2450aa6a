// Package kernel is the daemon: it boots the parts, loads the capsules, serves clients,
// and shuts everything down again.
//
// The kernel knows no models, tools or chats. It moves messages between capsules and
// clients, decides and records what capsules do, and keeps their files and keys.
//
// # Boot
//
// The lock file comes first, so that of two daemons exactly one goes on. Then storage,
// keys, audit log, gate, bus, host functions and runtime are made, the socket is bound
// (clients may connect and wait), capsules are loaded in the order of their imports,
// and the readiness file is written. A capsule that cannot be loaded is reported in
// [Kernel.Status] and does not keep the others from starting.
//
// # Shutdown
//
// No new messages are taken, capsules end their calls, clients are told by the end of
// their connection, files and storage are closed, socket, token and readiness file are
// removed. After kill -9 nothing of this has run; the next boot finds a free lock and
// replaces what was left.
package kernel
