package main

import (
	"fmt"
	"strings"
)

// maxText bounds one stream in an answer, in bytes: a model must not be flooded. The end is worth more than the start, because
// errors and summaries are there.
const (
	maxText  = 32 << 10
	headText = 8 << 10
)

// clip shortens a stream to its two ends, at line ends where they are near, and says what is missing. dropped bytes are lost already,
// before the text.
func clip(s string, dropped int64) string {
	if len(s) <= maxText {
		if dropped == 0 {
			return s
		}
		return note(dropped) + s
	}
	head, tail := s[:headText], s[len(s)-(maxText-headText):]
	if i := strings.LastIndexByte(head, '\n'); i > headText/2 {
		head = head[:i+1]
	}
	if i := strings.IndexByte(tail, '\n'); i >= 0 && i < len(tail)/2 {
		tail = tail[i+1:]
	}
	out := ""
	if dropped > 0 {
		out = note(dropped)
	}
	head = strings.ToValidUTF8(head, "")
	if !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return out + head + note(int64(len(s)-len(head)-len(tail))) + strings.ToValidUTF8(tail, "")
}

func note(n int64) string {
	return fmt.Sprintf("[%d bytes are left out here; to see all, write the output into a file (command > out.txt) and read that]\n", n)
}
