package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// ask puts a question on standard error and returns the answer without the space around
// it. A secret is not echoed on a terminal.
func (s System) ask(in *bufio.Reader, prompt string, secret bool) (string, error) {
	fmt.Fprintf(s.Stderr, "%s: ", prompt)
	if f, ok := s.Stdin.(interface{ Fd() uintptr }); secret && ok {
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.Stderr)
		return strings.TrimSpace(string(b)), err
	}
	return readLine(in)
}

// confirm asks for a yes; empty is what an empty answer means.
func (s System) confirm(in *bufio.Reader, text string, empty bool) (bool, error) {
	choice := "[y/N]"
	if empty {
		choice = "[Y/n]"
	}
	fmt.Fprintf(s.Stderr, "%s %s ", text, choice)
	line, err := readLine(in)
	if err != nil {
		return false, err
	}
	return line == "" && empty || strings.EqualFold(line, "y") || strings.EqualFold(line, "yes"), nil
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil && !(errors.Is(err, io.EOF) && line != "") {
		return "", fmt.Errorf("no answer: %w (use --yes where nobody can answer)", err)
	}
	return strings.TrimSpace(line), nil
}
