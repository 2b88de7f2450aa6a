// Package fakeresponses is a stand-in for a server of OpenAI's Responses API. It speaks
// the vendor's wire format over real HTTP: see package fakellm for the scenarios.
//
// It keeps nothing: like the vendor with store = false it sends what the model thought
// encrypted, and refuses calls of a model that thought when that does not come back unchanged.
package fakeresponses
