// Package rawjson takes JSON apart without decoding it, and puts it together again.
//
// Much of what capsules exchange is only passed on: conversations, tools' schemas. encoding/json reads each byte of it
// several times, one call of a function for each, which costs a guest a hundred times what copying does. The functions
// here find where a value ends and no more: they trust that what lies inside is well-formed, as the host has seen to,
// and of what is not they return an error or nonsense, but never read or write elsewhere. Names must be spelled
// exactly. Nothing is copied: what they return lies in the input.
package rawjson
