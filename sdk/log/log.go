// Package log writes to the capsule's log.
//
// A record is one line: the message, then key=value pairs. Lines beyond the host's limit
// are cut. Logging never fails as far as the caller can see. [Handler] lets log/slog
// write here; the functions of this package do not need it and keep the module smaller.
package log

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/internal/link"
)

// Trace logs what only somebody stepping through would want.
func Trace(msg string, kv ...any) { write("trace", msg, kv) }

// Debug logs what helps the capsule's author.
func Debug(msg string, kv ...any) { write("debug", msg, kv) }

// Info logs what the operator may want to know.
func Info(msg string, kv ...any) { write("info", msg, kv) }

// Warn logs what the operator should look at some day.
func Warn(msg string, kv ...any) { write("warn", msg, kv) }

// Error logs what needs somebody.
func Error(msg string, kv ...any) { write("error", msg, kv) }

func write(level, msg string, kv []any) {
	if len(kv) > 0 {
		var b strings.Builder
		b.WriteString(msg)
		for i := 0; i < len(kv); i += 2 {
			if i+1 == len(kv) {
				pair(&b, "!BADKEY", kv[i])
				break
			}
			pair(&b, fmt.Sprint(kv[i]), kv[i+1])
		}
		msg = b.String()
	}
	emit(level, msg)
}

// pair appends " key=value", quoting a value that would not read as one word.
func pair(b *strings.Builder, key string, value any) {
	b.WriteByte(' ')
	b.WriteString(key)
	b.WriteByte('=')
	s, ok := value.(string)
	if !ok {
		s = fmt.Sprint(value)
	}
	if s == "" || strings.ContainsAny(s, " \"=\n\r\t") {
		s = strconv.Quote(s)
	}
	b.WriteString(s)
}

func emit(level, msg string) {
	if len(msg) > abi.MaxLogMessage {
		msg = strings.ToValidUTF8(msg[:abi.MaxLogMessage], "")
	}
	// The only failures are size limits, which are kept above, and there is nowhere to report them.
	_, _ = link.Call(abi.Log, level, msg)
}
