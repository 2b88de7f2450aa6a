package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxPrompt is the longest prompt, standard input included, in bytes.
const MaxPrompt = 4 << 20

// composePrompt puts what comes on standard input before the prompt of the command line.
func composePrompt(sys System, prompt string) (string, error) {
	if !utf8.ValidString(prompt) {
		return "", fail(ExitUsage, "the prompt is not valid UTF-8")
	}
	if sys.IsTerminal(sys.Stdin) {
		return checkPrompt(prompt)
	}
	piped, err := io.ReadAll(io.LimitReader(sys.Stdin, MaxPrompt+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	if len(piped) > MaxPrompt {
		return "", fail(ExitError, "standard input is longer than %d MiB: pass a part of it, or the name of a file the agent can read", MaxPrompt>>20)
	}
	if !utf8.Valid(piped) {
		return "", fail(ExitError, "standard input is not valid UTF-8 (byte %d): convert it to text first", invalidAt(piped))
	}
	switch {
	case len(piped) == 0:
		return checkPrompt(prompt)
	case prompt == "":
		return checkPrompt(string(piped))
	}
	return checkPrompt(string(piped) + "\n\n" + prompt)
}

func checkPrompt(p string) (string, error) {
	switch {
	case strings.TrimSpace(p) == "":
		return "", fail(ExitUsage, "the prompt is empty: use astrid -p \"…\", or pipe text to astrid")
	case len(p) > MaxPrompt:
		return "", fail(ExitError, "the prompt is %d bytes long, the limit is %d", len(p), MaxPrompt)
	}
	return p, nil
}

// invalidAt returns the offset of the first byte that is not UTF-8.
func invalidAt(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}
