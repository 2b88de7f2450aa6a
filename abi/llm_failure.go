package abi

// LlmFailure says why a provider has no answer.
type LlmFailure struct {
	Kind   string `json:"kind"`             // one of the Llm constants
	Status int    `json:"status,omitempty"` // HTTP status, if the vendor's server answered
	// RetryAfterMs is how long the vendor asks to wait, if it does.
	RetryAfterMs int64 `json:"retry_after_ms,omitempty"`
}

// Kinds of an [LlmFailure]: the same set for all providers. New ones may be added; treat an
// unknown one like [LlmServer].
const (
	// Somebody has to change something.
	LlmConfig  = "config"  // no key, no model, or a setting that makes no sense
	LlmAuth    = "auth"    // the vendor refuses the key, or it lacks a right
	LlmBilling = "billing" // the account has no credit left
	LlmModel   = "model"   // the vendor does not know the model, or not for this key
	LlmInvalid = "invalid" // the vendor refuses the request as malformed
	LlmContext = "context" // the conversation is longer than the model's window
	LlmDenied  = "denied"  // the gate refused the request, or put it off
	LlmBudget  = "budget"  // the gate refused it because a budget is exhausted

	// Later it may work. A provider has tried again already, if nothing of the answer had come.
	LlmRateLimit  = "rate_limit" // too many requests or tokens
	LlmOverloaded = "overloaded" // the vendor has too much to do
	LlmServer     = "server"     // the vendor's server failed
	LlmNetwork    = "network"    // it was not reached, or the connection broke
	LlmTimeout    = "timeout"    // it did not answer in time
	LlmProtocol   = "protocol"   // what came is not what the vendor documents

	// The answer itself ended early.
	LlmRefused   = "refused"   // the vendor's safety system ended it
	LlmLength    = "length"    // the length limit cut a tool call in two
	LlmCancelled = "cancelled" // nobody waits for it any more, see [TopicGenerateCancel]
)
