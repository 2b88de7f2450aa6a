// Package audit keeps what was decided and done: one signed, linked chain of entries per principal.
package audit
