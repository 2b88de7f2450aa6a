// Package fakeopenai is a stand-in for a server of OpenAI's Chat Completions API. It
// speaks the vendor's wire format over real HTTP, so that a provider can be tested with
// what servers do on good days and on bad ones: see package fakellm for the scenarios.
package fakeopenai
