// Package host serves the contract of package abi: the table of 49 host functions
// and the linkage that lets a guest call them.
//
// # One table, one gate
//
// A host function is a [row]: its parameters with their limits, the class it
// belongs to, and either a plan or a plain handler. The linkage decodes the
// parameters and calls [Host.invoke], which is the only code that runs a row:
//
//	decode → plan (what would this do, to which resource?) → gate → effect → settle → encode
//
// A plan has no effect of its own. It returns the action the gate must decide and
// a closure that performs it; the closure is unreachable except through invoke,
// and it acts on the very resource that was decided. Handlers are unexported.
//
// # Who is calling
//
// Principal, session, call chain and message travel in the context of each guest
// call as a [Call]; the capsule and its open handles are an [Instance]. Nothing of
// a call is kept where another call could see it.
//
// Subscriptions and streams belong to the principal they were opened for: one instance
// may serve several principals, one call after the other.
//
// # Requests
//
// The address that is dialled is checked, each redirect is decided like a request of its
// own, and headers of the guest do not leave the origin they were meant for. Whatever a
// request's text held, only scheme, host, port and path reach the gate and the audit log:
// keys are often in queries.
//
// # Sockets
//
// A capsule's socket is run/capsules/<capsule>/<name>.sock: 0600 in directories that only the user enters, and each peer is
// checked to be that user. Frames have a length of four bytes, big endian, in front. Binding and each accepted connection are
// decided as one resource, net:bind:<capsule>/<name>; a connection that is refused is closed. A frame is kept as it arrives, so that
// memory grows with what a peer sent, not with what it announced.
//
// # Uplinks
//
// What astrid_uplink_send hands in goes out on a topic that nothing else can publish on, for the principal of the user whom the
// account belongs to. Capsules that handle it act for that user; the envelope of an account that is nobody's says so.
//
// # Questions
//
// astrid_elicit works while a capsule is installed or upgraded. The question goes to clients of the principal that said that
// somebody is there; with nobody there it is answered from what was set before, or fails at once and says what to do. A secret
// goes from the client into the store: no host function but astrid_get_config of a declared secret returns one.
//
// # JSON
//
// Every request record is read by [ipc.DecodeRecord], which is strict: exact names, no member twice, no null where a value is
// needed, nothing behind the value, bounded depth, real UTF-8. Unknown members are ignored, so that later guests run. Payloads of
// messages are held to the same rules by [ipc.ClassifyPayload], except that the last of repeated members wins in them.
//
// # Errors
//
// Every failure is an *abi.Error with a code and a text that is safe to show to
// the guest. In the native convention no host function traps.
//
// # Two conventions
//
// Both linkages walk the one table and call invoke. In the native one a guest passes pointers into its
// own memory. In that of Extism it passes offsets of blocks in a memory which the host keeps for it
// ([Instance.UseExtism]); a few functions put a status byte before their result, and for all others
// an error is a [Trap] that ends the guest, as it was in v0.5.0.
//
// # Cases of v0.5.0
//
//	manifest gate            TestManifestPaths TestWorkspacePaths TestBadPaths TestHiddenHome TestTopics TestSocketNames
//	                         TestIdentityLevels TestHostProcessEntries
//	approval function        TestRequestApproval, and what a grant covers in package approval
//	http and its addresses   TestHTTP TestHTTPRefused TestPrivateAddresses TestRefusedAddr TestRedirects
//	elicitation              TestElicit TestElicitSecret TestElicitNoAnswer
//	sockets                  TestNetLimits TestNetHostilePeer
//	topic lists              TestTopics
//
// Left out: gates that allow or deny everything, which only tests had; allowances made from the words of a request,
// because a grant is about the resource of the call; the client for MCP servers, because there is none yet.
package host
