package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/kernel/home"
	"github.com/unicity-astrid/astrid-go/kernel/secrets"
)

type secretOptions struct {
	sys       System
	principal string
	json      bool
}

func newSecret(sys System) *cobra.Command {
	o := &secretOptions{sys: sys}
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Set, list and delete the secrets of capsules",
		Long: `Set, list and delete the secrets of capsules: API keys, tokens, passwords.

They are sealed, with a key that the system's keyring keeps where there is one ("secrets.store"
in the configuration). No command shows a value. A running daemon takes a change at once.

  astrid secret set openai-compat api_key            # asks, without showing what is typed
  pass show openai | astrid secret set openai-compat api_key
  astrid secret list

Exit codes: 0 done, 1 there is no such secret or it could not be kept, 2 the command line is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.list("") },
	}
	cmd.PersistentFlags().StringVar(&o.principal, "principal", home.DefaultPrincipal, "whose secrets: a `NAME`")
	cmd.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.AddCommand(&cobra.Command{
		Use: "set CAPSULE NAME", Short: "Store a secret, typed at a prompt or from standard input",
		Example: "  astrid secret set openai-compat api_key\n  pass show openai | astrid secret set openai-compat api_key",
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.set(cmd, args[0], args[1]) },
	}, &cobra.Command{
		Use: "list [CAPSULE]", Short: "List names, never values", Example: "  astrid secret list --json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return o.list(strings.Join(args, "")) },
	}, &cobra.Command{
		Use: "delete CAPSULE NAME", Short: "Delete a secret", Example: "  astrid secret delete openai-compat api_key",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.delete(cmd, args[0], args[1]) },
	})
	return cmd
}

// open returns the store and the capsule's full name. A capsule that was removed may have
// left secrets, so it need not be there.
func (o *secretOptions) open(typed string) (*capsules, *secrets.Store, *capsule.Manifest, string, error) {
	c, err := openCapsules(o.sys)
	if err != nil {
		return nil, nil, nil, "", err
	}
	st, err := o.sys.secrets(c.home)
	if err != nil || typed == "" {
		return c, st, nil, "", err
	}
	if err := capsule.ValidName(typed); err != nil {
		return nil, nil, nil, "", fail(ExitUsage, "%w", err)
	}
	i, err := c.find(typed)
	if err != nil {
		return c, st, nil, typed, nil
	}
	return c, st, i.Manifest, i.Name, nil
}

func (o *secretOptions) set(cmd *cobra.Command, typed, name string) error {
	c, st, m, id, err := o.open(typed)
	if err != nil {
		return err
	}
	if err := secrets.CheckName(name); err != nil {
		return fail(ExitUsage, "%w", err)
	}
	if m == nil {
		_, err := c.find(typed)
		return err
	}
	kept, err := st.Has(o.principal, id, name)
	if err != nil {
		return err
	}
	if f, ok := m.Env[name]; ok && f.Kind() != capsule.EnvSecret {
		return fail(ExitError, "%s of %s is a setting and no secret", approval.Display(name), id)
	}
	if declared := m.SecretKeys(); !kept && !slices.Contains(declared, name) {
		o.sys.notef("%s declares no secret %s (it has %s): it is kept for what the capsule asks while it is installed", id, approval.Display(name), orNone(declared))
	}
	value, err := o.value(cmd.Context(), m, name)
	if err != nil {
		return err
	}
	if err := st.Set(o.principal, id, name, value); err != nil {
		return err
	}
	o.sys.notef("%s of %s is stored", approval.Display(name), id)
	return reload(cmd.Context(), c.home)
}

// value reads a secret: never from the command line, which other users can see.
func (o *secretOptions) value(ctx context.Context, m *capsule.Manifest, name string) (string, error) {
	if o.sys.IsTerminal(o.sys.Stdin) {
		prompt := name
		if f, ok := m.Env[name]; ok {
			prompt = printable(f.Prompt(name))
		}
		return o.sys.ask(ctx, bufio.NewReader(o.sys.Stdin), prompt, true)
	}
	raw, err := io.ReadAll(io.LimitReader(o.sys.Stdin, secrets.MaxValue+2))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), nil // the end of a line is not part of it
}

func (o *secretOptions) list(typed string) error {
	_, st, _, id, err := o.open(typed)
	if err != nil {
		return err
	}
	list, err := st.List(o.principal, id)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(o.sys.Stdout, list)
	}
	if len(list) == 0 {
		o.sys.notef("no secrets are stored")
		return nil
	}
	now := time.Now()
	rows := [][]string{{"CAPSULE", "NAME", "AGE"}}
	for _, e := range list {
		rows = append(rows, []string{e.Capsule, approval.Display(e.Name), ago(e.SetAt, now)})
	}
	return table(o.sys.Stdout, rows)
}

func (o *secretOptions) delete(cmd *cobra.Command, typed, name string) error {
	c, st, _, id, err := o.open(typed)
	if err != nil {
		return err
	}
	if err := st.Delete(o.principal, id, name); err != nil {
		if errors.Is(err, secrets.ErrNotFound) {
			return fail(ExitError, "%s has no secret %s: see astrid secret list", id, approval.Display(name))
		}
		return err
	}
	o.sys.notef("%s of %s is deleted", approval.Display(name), id)
	return reload(cmd.Context(), c.home)
}
