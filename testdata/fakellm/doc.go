// Package fakellm is what stand-ins for model APIs have in common: scenarios, the quirks of
// the wire, and a record of requests. Packages fakeopenai, fakeresponses and fakeanthropic
// add the format of a vendor.
//
// A request chooses its scenario by the name of its model, or by the words
// "scenario:NAME" in its last user message, which win. NAME may carry arguments after
// colons:
//
//	text             echoes the last user message in small pieces; multi-byte characters
//	                 are split between writes
//	tools            calls tools in parallel, then quotes their results (see below)
//	reasoning        thinks aloud before it answers
//	redacted         thinks, and shows nothing of it, where the vendor has that
//	refusal          declines
//	crlf             ends lines with CRLF
//	ping             sends comments between the events
//	nospace          writes "data:" without a space
//	nodone           leaves out the mark of the end, where the vendor has one besides the last event
//	nousage          leaves out the usage
//	cut[:N]          closes the connection after N events, without a finish reason
//	broken           sends an event that is not JSON
//	error[:N]        sends an error object after N events
//	overloaded[:N]   the same as the first event, N times (1) saying that it has too much to do
//	drip[:MS]        waits so many milliseconds (20) between events
//	giant[:BYTES]    sends an event on a line of more than that many bytes (2 MiB)
//	empty            answers nothing
//	length           stops at the length limit; in the middle of the arguments if it calls tools
//	401              refuses the key
//	402              says that there is no credit left
//	404              does not know the model
//	413              says that the conversation is too long
//	429[:N[:SECS]]   refuses N times (1), with Retry-After if SECS is given, then answers
//	500[:N]          the same with an internal error; N defaults to for ever
//	529[:N]          the same, overloaded; N defaults to 1
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
package fakellm
