// Package fakeanthropic is a stand-in for a server of Anthropic's Messages API. It speaks
// the vendor's wire format over real HTTP: see package fakellm for the scenarios.
//
// It signs what the model thinks, as the vendor does, and refuses thoughts that were changed
// on their way back, and results of calls whose thoughts are missing. It has a prompt cache
// that knows system prompts.
package fakeanthropic
