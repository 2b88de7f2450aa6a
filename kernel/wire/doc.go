// Package wire holds the protocol of the daemon's socket that both ends share: frames
// and the handshake.
//
// A frame is a length (u32, big endian) and that many bytes of JSON. The client speaks
// first: one [abi.Handshake], answered by one [abi.HandshakeReply]. After that the client
// sends [abi.ClientFrame] records and the daemon [abi.Message] records, without turns.
// The daemon closes the connection on a malformed frame; nothing is resynchronised.
package wire
