// Package sandbox runs programs that see a session's files and little else.
package sandbox
