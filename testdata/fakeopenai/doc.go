// Package fakeopenai is a stand-in for a server of OpenAI's Chat Completions API. It
// speaks the vendor's wire format over real HTTP, so that a provider can be tested with
// what servers do on good days and on bad ones.
//
// A request chooses its scenario by the name of its model, or by the words
// "scenario:NAME" in its last user message, which win. NAME may carry arguments after
// colons:
//
//	text             echoes the last user message in small pieces; multi-byte characters
//	                 are split between writes
//	tools            calls tools in parallel, then quotes their results (see below)
//	reasoning        thinks aloud before it answers
//	crlf             ends lines with CRLF
//	ping             sends comments between the events
//	nospace          writes "data:" without a space
//	nodone           leaves out [DONE]
//	nousage          leaves out the usage
//	cut[:N]          closes the connection after N events, without a finish reason
//	broken           sends an event that is not JSON
//	error[:N]        sends an error object after N events
//	drip[:MS]        waits so many milliseconds (20) between events
//	giant[:BYTES]    sends an event on a line of more than that many bytes (2 MiB)
//	empty            answers nothing
//	length           stops at the length limit; in the middle of the arguments if it calls tools
//	401              refuses the key
//	429[:N[:SECS]]   refuses N times (1), with Retry-After if SECS is given, then answers
//	500[:N]          the same with an internal error; N defaults to for ever
//
// Any other name is text, or tools when the message asks for calls.
//
// The tools scenario calls what lines of the form
//
//	call NAME {"argument": "value"}
//
// in the last user message ask for. A line "then" starts another round. Without such a
// line it calls the first two tools of the request with arguments made up from their schemas.
//
// Every request is recorded, and checked against the documented schema: what the vendor
// would refuse is answered with status 400 and the reason.
package fakeopenai
