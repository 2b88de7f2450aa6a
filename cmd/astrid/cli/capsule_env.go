package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/capsule"
)

// settings collects the [env] values of a capsule: what was set before, what --set says,
// and, on a terminal, the answers to questions about the rest. Without a terminal a value
// that has no default must have been set.
func (o *installOptions) settings(ctx context.Context, m *capsule.Manifest, before map[string]string) (map[string]string, error) {
	values := maps.Clone(before)
	given := make(map[string]bool)
	answers, err := o.sys.gather(o.answersFile, o.set)
	if err != nil {
		return nil, err
	}
	for _, key := range names(m.Env) {
		value, ok, err := answers.answer(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if err := m.Env[key].Check(value); err != nil && value != "" {
			return nil, fail(ExitUsage, "%s: %w", key, err)
		}
		values[key], given[key] = value, true
	}
	if extra := answers.unused(); len(extra) > 0 {
		return nil, fail(ExitUsage, "%s is no setting of %s: it has %s", strings.Join(extra, ", "), m.ID(), orNone(names(m.Env)))
	}
	if o.asks() {
		for _, key := range names(m.Env) {
			if given[key] || values[key] != "" {
				continue
			}
			value, err := o.setting(ctx, key, m.Env[key])
			if err != nil {
				return nil, err
			}
			values[key] = value
		}
	}
	_, missing, err := m.ResolveEnv(values)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fail(ExitUsage, "%s needs %s: give it with --set KEY=VALUE", m.ID(), strings.Join(missing, ", "))
	}
	maps.DeleteFunc(values, func(_, v string) bool { return v == "" }) // an empty value is the default
	return values, nil
}

// setting asks for one value until it is one that the field can have.
func (o *installOptions) setting(ctx context.Context, key string, f capsule.EnvField) (string, error) {
	if f.Description != "" {
		fmt.Fprintf(o.sys.Stderr, "  %s\n", printable(f.Description))
	}
	prompt := printable(f.Prompt(key))
	if f.Kind() == capsule.EnvEnum {
		prompt += " (" + printable(strings.Join(f.EnumValues, ", ")) + ")"
	}
	if f.Kind() == capsule.EnvArray {
		prompt += " (separated by commas)"
	}
	text, hasDefault := f.DefaultText()
	if text != "" && f.Kind() != capsule.EnvSecret {
		prompt += " [" + printable(text) + "]"
	}
	for {
		value, err := o.sys.ask(ctx, o.in, "  "+prompt, f.Kind() == capsule.EnvSecret)
		if err != nil {
			return "", err
		}
		if value != "" && f.Kind() == capsule.EnvArray && !strings.HasPrefix(value, "[") {
			value = arrayText(value)
		}
		switch err := f.Check(value); {
		case value == "" && hasDefault:
			return "", nil
		case value == "":
			fmt.Fprintln(o.sys.Stderr, "  a value is needed")
		case err != nil:
			fmt.Fprintf(o.sys.Stderr, "  %v\n", err)
		default:
			return value, nil
		}
	}
}

// arrayText writes a list that was typed with commas as the JSON that env files hold.
func arrayText(typed string) string {
	var list []string
	for _, v := range strings.Split(typed, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, fmt.Sprintf("%q", v))
		}
	}
	return "[" + strings.Join(list, ",") + "]"
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(slices.Values(list)), ", ")
}
