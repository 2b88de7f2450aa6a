package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/trust"
)

func newTrust(sys System) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Decide whether what this project tells agents is used",
		Long: `Decide whether what the project around the current directory tells agents is used: AGENTS.md,
ASTRID.md, and what is below .astrid and .agents (instructions, skills, commands, memory).
Such files come with a cloned repository, and what they say speaks to the agent with your
voice, so nothing of them is used before you agreed. The agent can still read them as files.

The answer is about the files as they are: one that comes, goes or changes asks again.
.astrid/memory.md may change, because agents write it.

.astrid/config.toml and .astridignore always count, because they can only tighten. Capsules
in .astrid/capsules are listed and never loaded: astrid capsule install .astrid/capsules/NAME
installs one, after it has shown what it may do.

Exit codes: 0 they are used, or there are none, 1 they are not, or it failed, 2 the command
line is wrong or --yes is missing where nobody can be asked.`,
		Example: `  astrid trust            # shows the files and asks
  astrid trust show
  astrid trust --yes      # in a script that knows them`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return sys.trustHere(cmd.Context(), yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "agree without being asked")
	var asJSON bool
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the files and what was said about them",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, st, err := sys.projectTrust()
			if err != nil {
				return err
			}
			if asJSON {
				offers, err := trust.Offers(st.Workspace)
				if err != nil {
					return err
				}
				return writeJSON(sys.Stdout, struct {
					trust.Status
					Capsules []string `json:"capsules,omitempty"`
				}{st, offers})
			}
			sys.showTrust(st)
			return sys.listOffers(st.Workspace)
		},
	}
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	revoke := &cobra.Command{
		Use:   "revoke",
		Short: "Take the answer back: the files are not used, and you are asked again",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			store, st, err := sys.projectTrust()
			if st.Workspace == "" {
				return err
			}
			was, err := store.Forget(st.Workspace)
			if err == nil && !was {
				sys.notef("nothing was said about %s", quoted(st.Workspace))
			}
			return err
		},
	}
	cmd.AddCommand(show, revoke)
	return cmd
}

// projectTrust is what is known about the project in the current directory.
func (s System) projectTrust() (trust.Store, trust.Status, error) {
	h, err := home.Resolve(s.Getenv)
	if err != nil {
		return trust.Store{}, trust.Status{}, err
	}
	store := trust.Open(h)
	w, err := s.here()
	if err != nil {
		return store, trust.Status{}, err
	}
	st, err := store.Status(w.Root())
	return store, st, err
}

var trustWords = map[trust.State]string{
	trust.Nothing:  "this project brings no files for agents",
	trust.New:      "not used: you were not asked about them yet",
	trust.Changed:  "not used: they are not what you were asked about",
	trust.Trusted:  "used: you agreed to them",
	trust.Declined: "not used: you said no",
}

func (s System) showTrust(st trust.Status) {
	s.listTrust(st)
	s.notef("%s", trustWords[st.State])
}

func (s System) listTrust(st trust.Status) {
	for _, f := range st.Files {
		note := ""
		if st.State == trust.Changed && slices.Contains(st.Changed, f.Path) {
			note = "  changed"
		}
		fmt.Fprintf(s.Stdout, "%9s  %s%s\n", size(uint64(f.Size)), quoted(f.Path), note)
	}
	for _, p := range st.Changed {
		if !slices.ContainsFunc(st.Files, func(f trust.File) bool { return f.Path == p }) {
			fmt.Fprintf(s.Stdout, "%9s  %s  gone\n", "", quoted(p))
		}
	}
}

func (s System) trustHere(ctx context.Context, yes bool) error {
	store, st, err := s.projectTrust()
	if err != nil {
		return err
	}
	if err := s.listOffers(st.Workspace); err != nil {
		return err
	}
	if st.Used() {
		s.showTrust(st)
		return nil
	}
	switch {
	case yes:
		s.showTrust(trust.Status{State: trust.Trusted, Files: st.Files})
		return store.Answer(st, true, time.Now())
	case !s.IsTerminal(s.Stdin):
		return fail(ExitUsage, "nobody can be asked here: look with `astrid trust show`, and agree with `astrid trust --yes`")
	}
	ok, err := s.askTrust(ctx, store, st)
	if err == nil && !ok {
		err = fail(ExitError, "%s", trustWords[trust.Declined])
	}
	return err
}

// askTrust shows a project's files for agents and keeps the answer.
func (s System) askTrust(ctx context.Context, store trust.Store, st trust.Status) (bool, error) {
	out := s
	out.Stdout = s.Stderr
	fmt.Fprintf(s.Stderr, "The project in %s brings files that tell agents what to do:\n", quoted(st.Workspace))
	out.listTrust(st)
	in := bufio.NewReader(s.Stdin)
	for {
		fmt.Fprint(s.Stderr, "What they say speaks to the agent with your voice. Use them? [y/N, s shows them] ")
		line, err := s.readLine(ctx, in)
		if err != nil {
			return false, err
		}
		switch line {
		case "s", "show":
			s.showTrustFiles(st)
			continue
		case "y", "Y", "yes":
			return true, store.Answer(st, true, time.Now())
		}
		return false, store.Answer(st, false, time.Now())
	}
}

// showTrustFiles prints the texts, with what a terminal would obey made visible.
func (s System) showTrustFiles(st trust.Status) {
	for _, f := range st.Files {
		text, err := trust.Read(st.Workspace, f.Path)
		if err != nil {
			s.notef("%s: %v", quoted(f.Path), err)
			continue
		}
		fmt.Fprintf(s.Stderr, "--- %s\n%s\n", quoted(f.Path), visible(string(text)))
	}
}

// visible is a text in which nothing can hide: what a terminal would obey, and characters without a shape, which models read and
// people do not see, are escapes.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) || unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
			fmt.Fprintf(&b, "\\u{%04x}", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// meetProject asks about a project's files for agents before an agent works there, if somebody can answer; else it says that they are
// not used.
func (s System) meetProject(ctx context.Context, ask bool) error {
	store, st, err := s.projectTrust()
	if err != nil {
		s.notef("%v", err)
		return nil
	}
	if !st.Asks() {
		return nil
	}
	if ask {
		_, err := s.askTrust(ctx, store, st)
		return err
	}
	what := quoted(st.Files[0].Path)
	if n := len(st.Files) - 1; n > 0 {
		what += " and " + count(n, "more file")
	}
	s.notef("what this project tells agents is not used (%s): `astrid trust` shows it and asks", what)
	return nil
}
