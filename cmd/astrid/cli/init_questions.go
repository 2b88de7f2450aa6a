package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"charm.land/huh/v2"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

// answers collects what the distribution wants to know. before are the providers that were
// chosen last time.
func (o *initOptions) answers(ctx context.Context, m *distro.Manifest, before map[string][]string) (distro.Answers, error) {
	a := distro.Answers{Groups: map[string][]string{}, Variables: map[string]string{}}
	given, err := o.sys.gather(o.answersFile, o.set)
	if err != nil {
		return a, err
	}
	wanted := o.provider
	for _, g := range m.Groups() {
		var picks []string
		if picks, wanted, err = o.members(ctx, g, wanted, before[g.Name]); err != nil {
			return a, err
		}
		a.Groups[g.Name] = picks
	}
	if len(wanted) > 0 {
		var all []string
		for _, g := range m.Groups() {
			all = append(all, short(g.Members)...)
		}
		return a, fail(ExitUsage, "--provider: %q is none of %s", wanted[0], strings.Join(all, ", "))
	}
	entries, err := m.Select(a)
	if err != nil {
		return a, err
	}
	asked := m.VariablesOf(entries)
	for _, name := range names(m.Variables) {
		value, ok, err := given.answer(name)
		if err != nil {
			return a, err
		}
		if ok {
			a.Variables[name] = value
			continue
		}
		v := m.Variables[name]
		if !o.asks() || v.Quiet || o.known[name] || !slices.Contains(asked, name) {
			continue
		}
		prompt := v.Description
		if prompt == "" {
			prompt = name
		}
		if v.Default != "" && !v.Secret {
			prompt += " [" + v.Default + "]"
		}
		if a.Variables[name], err = o.sys.ask(ctx, o.in, printable(prompt), v.Secret); err != nil {
			return a, err
		}
	}
	if extra := given.unused(); len(extra) > 0 {
		return a, fail(ExitUsage, "%s is no variable of the distribution: it has %s", strings.Join(extra, ", "), strings.Join(names(m.Variables), ", "))
	}
	return a, nil
}

// members chooses the providers of a group: those named by --provider, else those that the
// user picks, else those of the last time, else the first. left are the names that belong to
// another group.
func (o *initOptions) members(ctx context.Context, g distro.Group, wanted, before []string) (picks, left []string, err error) {
	for _, w := range wanted {
		i := slices.IndexFunc(g.Members, func(m string) bool { return m == w || m == capsulePrefix+w })
		if i < 0 {
			left = append(left, w)
		} else if !slices.Contains(picks, g.Members[i]) {
			picks = append(picks, g.Members[i])
		}
	}
	if len(picks) > 0 {
		return picks, left, nil
	}
	for _, b := range before {
		if slices.Contains(g.Members, b) {
			picks = append(picks, b)
		}
	}
	if len(picks) == 0 {
		picks = g.Members[:1]
	}
	if !o.asks() || len(g.Members) == 1 || o.provider != nil {
		return picks, left, nil
	}
	picks, err = o.pick(ctx, g, picks)
	return picks, left, err
}

// pick asks for at least one member of a group.
func (o *initOptions) pick(ctx context.Context, g distro.Group, picks []string) ([]string, error) {
	in, ok := o.sys.Stdin.(*os.File)
	if !ok || !o.sys.draws() {
		return o.pickLine(ctx, g, picks)
	}
	var options []huh.Option[string]
	for _, m := range g.Members {
		options = append(options, huh.NewOption(short([]string{m})[0], m).Selected(slices.Contains(picks, m)))
	}
	chosen := slices.Clone(picks)
	// Title and description are one line each, also on 40 columns; without a height the field
	// would take these two lines away from the options.
	field := huh.NewMultiSelect[string]().Title(oneLine("Providers for " + g.Name)).
		Description("space chooses, enter goes on").
		Options(options...).Value(&chosen).Filterable(false).Height(len(options) + 2).
		Validate(func(list []string) error {
			if len(list) == 0 {
				return errors.New("choose at least one")
			}
			return nil
		})
	err := huh.NewForm(huh.NewGroup(field)).WithShowHelp(false).WithInput(in).WithOutput(o.sys.Stderr).RunWithContext(ctx)
	if errors.Is(err, huh.ErrUserAborted) {
		return nil, fail(ExitInterrupted, "nothing was installed")
	}
	return chosen, err
}

// pickLine asks where no picker can be drawn: names or numbers, separated by commas.
func (o *initOptions) pickLine(ctx context.Context, g distro.Group, picks []string) ([]string, error) {
	fmt.Fprintf(o.sys.Stderr, "Providers for %s:\n", g.Name)
	for i, m := range short(g.Members) {
		fmt.Fprintf(o.sys.Stderr, "  %d %s\n", i+1, m)
	}
	fmt.Fprintf(o.sys.Stderr, "Which, separated by commas? [%s] ", strings.Join(short(picks), ","))
	line, err := o.sys.readLine(ctx, o.in)
	if err != nil || line == "" {
		return picks, err
	}
	var chosen []string
	for _, word := range strings.Split(line, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(g.Members, func(m string) bool { return m == word || m == capsulePrefix+word })
		if i < 0 {
			if n, err := fmt.Sscanf(word, "%d", &i); n == 1 && err == nil {
				i--
			}
		}
		if i < 0 || i >= len(g.Members) {
			return nil, fail(ExitUsage, "%q is none of %s", word, strings.Join(short(g.Members), ", "))
		}
		if !slices.Contains(chosen, g.Members[i]) {
			chosen = append(chosen, g.Members[i])
		}
	}
	return chosen, nil
}

func short(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.TrimPrefix(s, capsulePrefix)
	}
	return out
}
