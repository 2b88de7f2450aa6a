package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// ask puts a question on standard error and returns the answer without the space around
// it. A secret is not echoed on a terminal.
func (s System) ask(ctx context.Context, in *bufio.Reader, prompt string, secret bool) (string, error) {
	fmt.Fprintf(s.Stderr, "%s: ", prompt)
	f, ok := s.Stdin.(interface{ Fd() uintptr })
	// A line that was typed ahead is taken from where it is.
	if !secret || !ok || in.Buffered() > 0 {
		return s.readLine(ctx, in)
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	text, err := await(ctx, func() (string, error) {
		b, err := term.ReadPassword(int(f.Fd()))
		return string(b), err
	})
	fmt.Fprintln(s.Stderr)
	if ctx.Err() != nil { // the echo comes back also when nobody finishes the line
		err = errors.Join(err, term.Restore(int(f.Fd()), before))
	}
	return strings.TrimSpace(text), err
}

// confirm asks for a yes; empty is what an empty answer means.
func (s System) confirm(ctx context.Context, in *bufio.Reader, text string, empty bool) (bool, error) {
	choice := "[y/N]"
	if empty {
		choice = "[Y/n]"
	}
	fmt.Fprintf(s.Stderr, "%s %s ", text, choice)
	line, err := s.readLine(ctx, in)
	if err != nil {
		return false, err
	}
	return line == "" && empty || strings.EqualFold(line, "y") || strings.EqualFold(line, "yes"), nil
}

func (s System) readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	line, err := await(ctx, func() (string, error) { return in.ReadString('\n') })
	if ctx.Err() != nil {
		fmt.Fprintln(s.Stderr) // what is said next does not stand behind the question
		return "", err
	}
	if err != nil && !(errors.Is(err, io.EOF) && line != "") {
		return "", fmt.Errorf("no answer: %w (use --yes where nobody can answer)", err)
	}
	return strings.TrimSpace(line), nil
}

// await returns what read does, or at once when ctx ends: a terminal cannot be read with a
// deadline, and whoever interrupts a question does not want to finish the line first. The
// reader stays where it is; the command that asked is over.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := read()
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
