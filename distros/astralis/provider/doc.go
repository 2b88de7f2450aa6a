// Package provider is what all capsules that speak to a model's API have in common. A
// capsule adds how its vendor writes a request and what its events mean; everything else is
// here: topics, settings, server-sent events, retries, errors, prices, and the list of models.
//
// # A request
//
// Each LLM request ends with exactly one Done or one Error. Errors carry an
// [abi.LlmFailure] whose kind is one set for all vendors. What says "later" (429, 5xx, a
// connection that breaks) is tried up to four times, with growing waits and jitter, or as
// late as Retry-After asks up to 20 s; but only as long as nothing of the answer has been
// published. A message on [abi.TopicGenerateCancel] closes the connection at once.
//
// # Money
//
// The setting models is a table of models and prices (see [Table]). From it the call
// reserves what it may cost, with at most 8192 tokens of answer, and settles what it did cost
// when the stream is closed: by the usage that the vendor reports, else by the amount of text.
//
// # Thinking
//
// Vendors want the model's reasoning back, unchanged, together with the results of the
// calls that it led to. It is opaque, so the history of the session does not hold it: [Rounds]
// keeps it in the capsule's own store.
//
// # Keys
//
// The key is the setting api_key. It goes into a header of the request and nowhere else; a
// server that repeats it in an error finds it cut out.
package provider
