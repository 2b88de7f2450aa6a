// Package wire holds the protocol of the daemon's socket that both ends share: frames
// and the handshake.
//
// The socket is run/system.sock in the home, a Unix stream socket that only the home's owner can
// reach. A frame is a length (u32, big endian) and that many bytes of JSON, at most [abi.MaxFrame]
// from a client. The client speaks first: one [abi.Handshake] with the token from run/system.token,
// answered by one [abi.HandshakeReply]. After that the client sends [abi.ClientFrame] records and the
// daemon [abi.Message] records, without turns. The daemon closes the connection on a malformed
// frame; nothing is resynchronised. It closes that of a client that does not read, too.
//
// A client may send four kinds of frames:
//
//   - [abi.TopicClientSubscribe]: what it wants to see from now on, and whether somebody is there to
//     answer questions ([abi.ClientSubscribe]).
//   - Management calls, on astrid.v1.request.<anything>: an [abi.KernelRequest], answered to this client
//     alone by an [abi.KernelResponse] on astrid.v1.response.<the same>. The methods are the constants of
//     package abi whose names begin with Method.
//   - Answers: to approvals, on astrid.v1.approval.response.<request id>, and to capsules' questions, on
//     astrid.v1.elicit.response.<request id>.
//   - Messages for capsules: user.v1.prompt, cli.v1.command.execute, session.v1.request.* and some of
//     registry.v1. They need a session or name one; the kernel stamps principal and time.
//
// A frame that has an id is answered on [abi.TopicClientAck]; without an error it was taken, which is
// not yet that it was done. The payload of a message is a record of package abi, its "type" first; the
// type custom has the record in "data".
//
// cmd/astrid/e2e/testdata/protocol.txtar has conversations, which a test holds with a real daemon.
package wire
