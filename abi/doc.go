// Package abi is the contract between the kernel and a capsule: the names of the
// 49 host functions, the error codes of the native calling convention, the JSON
// records that cross the boundary, the topics both sides know, and every limit a
// guest can run into.
//
// Guests import this package, so it depends on the standard library only and
// holds no behaviour beyond encoding. The contract is served by package
// abi/host and used through package sdk.
//
// # Native convention
//
// A guest imports module "astrid" with one function for each [Function]. Each
// logical parameter is a pair (ptr i32, len i32) in guest memory. The result is
// an i64: the high 32 bits hold a [Code] (0 means success), the low 32 bits the
// length of the result, or of the UTF-8 error message. The host keeps those
// bytes until the guest copies them with astrid_link.take(ptr i32, cap i32) -> i32,
// which returns the number of bytes copied and forgets them.
//
// Exports take (input_len i32) and return i64. The guest takes its input with
// astrid_link.take, and returns ptr<<32|len of its output, which the host reads
// before it runs anything else in the instance. The input of
// [ExportHookTrigger] is described at [EncodeHookInput]; its output starts with
// one of the Verdict bytes.
//
// # Questions of capsules
//
// A client that subscribes with [ClientSubscribe].Elicitor says that somebody sits there who can answer what capsules ask
// while they are installed. It gets an [ElicitRequestEvent] on [TopicElicit] for each question, the open ones at once, and
// answers with an [ElicitResponse] (Value, or Values for the field type Array; neither means that the person does not want to)
// on [TopicElicitResponse] followed by the id. The acknowledgement of the frame says why an answer is none: then the question
// is still open. On [TopicElicitWithdrawn] it learns that a question needs no answer any more. A client that leaves, or never
// said that it attends, is not waited for.
package abi
