package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/audit"
	"github.com/unicity-astrid/astrid-go/capability"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

type verifyOptions struct {
	sys       System
	principal string
	file      string
	keys      []string
	partial   bool
	asJSON    bool
}

func newAuditVerify(sys System) *cobra.Command {
	o := &verifyOptions{sys: sys}
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that the log is whole and unchanged", Args: cobra.NoArgs,
		Long: `Check form, signatures, links, order and times of all entries, and that no chain is shorter
than its anchored head says. With --file an exported file is checked, with nothing but the
public key, which "astrid audit export" prints.

Exit codes: 0 intact, 1 broken, 2 cannot tell: nothing wrong was found, but something could
not be checked, or the command line is wrong. What was found is printed with its place.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exclusive(cmd, "principal", "file"); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.principal, "principal", "", "check only the chain of `P`")
	f.StringVar(&o.file, "file", "", "check the exported `FILE`")
	f.StringArrayVar(&o.keys, "key", nil, "trust the public `KEY`, base64 or hex; repeatable (default: this home's)")
	f.BoolVar(&o.partial, "partial", false, "with --file: the export was filtered, entries may be missing")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// run prints the report. Whatever keeps it from being made is "cannot tell".
func (o *verifyOptions) run(ctx context.Context) error {
	report, err := o.verify(ctx)
	if err != nil {
		return fail(int(audit.Unknown), "cannot tell: %w", err)
	}
	state := report.State()
	if len(report.Chains) == 0 && (o.principal != "" || o.file != "") {
		state = audit.Unknown // there was nothing to look at
	}
	if err := o.print(report, state); err != nil {
		return err
	}
	if state != audit.Intact {
		return &exitError{code: int(state)}
	}
	return nil
}

func (o *verifyOptions) verify(ctx context.Context) (*audit.Report, error) {
	if o.partial && o.file == "" {
		return nil, errors.New("--partial goes with --file")
	}
	if o.principal != "" && !audit.ValidPrincipal(o.principal) {
		return nil, fmt.Errorf("--principal: %q is no principal", o.principal)
	}
	v := audit.VerifyOptions{Partial: o.partial}
	for _, k := range o.keys {
		key, err := parseKey(k)
		if err != nil {
			return nil, err
		}
		v.Keys = append(v.Keys, key)
	}
	if o.file != "" && len(v.Keys) > 0 {
		return o.verifyFile(ctx, v) // needs no home
	}
	h, err := home.Resolve(o.sys.Getenv)
	if err != nil {
		return nil, err
	}
	if len(v.Keys) == 0 {
		key, err := runtimeKey(h)
		if err != nil {
			return nil, err
		}
		v.Keys = append(v.Keys, ed25519.PublicKey(key[:]))
	}
	if o.file != "" {
		return o.verifyFile(ctx, v)
	}
	store, err := audit.NewFileStore(h.PrincipalsDir(), audit.FileStoreOptions{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	anchor, err := audit.NewSlotAnchor(h.AuditAnchorDir())
	if err != nil {
		return nil, err
	}
	defer anchor.Close()
	v.Anchor = anchor
	if o.principal != "" {
		v.Principals = []string{o.principal}
	}
	return audit.Verify(ctx, store, v)
}

func (o *verifyOptions) verifyFile(ctx context.Context, v audit.VerifyOptions) (*audit.Report, error) {
	f, err := os.Open(o.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return audit.VerifyExport(ctx, f, o.file, v)
}

// runtimeKey is the public key that this home's log is signed with.
func runtimeKey(h home.Home) (audit.Key, error) {
	key, err := capability.LoadKey(h.RuntimeKey())
	if errors.Is(err, fs.ErrNotExist) {
		return audit.Key{}, fmt.Errorf("this home has no runtime key yet (%s): name one with --key", h.RuntimeKey())
	}
	if err != nil {
		return audit.Key{}, fmt.Errorf("runtime key: %w", err)
	}
	defer key.Close()
	return audit.Key(key.Public()), nil
}

func parseKey(s string) (ed25519.PublicKey, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if b, err := decode(strings.TrimSpace(s)); err == nil && len(b) == ed25519.PublicKeySize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("--key: %q is no ed25519 public key of %d bytes in base64 or hex", s, ed25519.PublicKeySize)
}

// chainJSON is one chain of the report with --json.
type chainJSON struct {
	Principal string        `json:"principal"`
	State     string        `json:"state"`
	Entries   int           `json:"entries"`
	LastSeq   uint64        `json:"last_seq"`
	Problems  []findingJSON `json:"problems"`
	Doubts    []findingJSON `json:"doubts"`
	Notes     []findingJSON `json:"notes"`
	Omitted   int           `json:"omitted"`
}

type findingJSON struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Index  uint64 `json:"index,omitempty"`
	ID     string `json:"id,omitempty"`
	Why    string `json:"why"`
	Detail string `json:"detail,omitempty"`
}

func findingsJSON(list []audit.Finding) []findingJSON {
	out := []findingJSON{}
	for _, f := range list {
		j := findingJSON{File: f.File, Line: f.Line, Index: f.Index, Why: string(f.Why), Detail: f.Detail}
		if !f.ID.IsZero() {
			j.ID = f.ID.String()
		}
		out = append(out, j)
	}
	return out
}

func (o *verifyOptions) print(r *audit.Report, state audit.State) error {
	if o.asJSON {
		chains := []chainJSON{}
		for i := range r.Chains {
			c := &r.Chains[i]
			chains = append(chains, chainJSON{c.Principal, c.State().String(), c.Entries, c.LastSeq,
				findingsJSON(c.Problems), findingsJSON(c.Doubts), findingsJSON(c.Notes), c.Omitted})
		}
		return writeJSON(o.sys.Stdout, struct {
			State  string      `json:"state"`
			Chains []chainJSON `json:"chains"`
		}{state.String(), chains})
	}
	w := o.sys.Stdout
	for i := range r.Chains {
		c := &r.Chains[i]
		fmt.Fprintf(w, "%s: %s, %d entries\n", approval.Display(c.Principal), c.State(), c.Entries)
		for _, kind := range []struct {
			word string
			list []audit.Finding
		}{{"problem", c.Problems}, {"doubt", c.Doubts}, {"note", c.Notes}} {
			for _, f := range kind.list {
				id := ""
				if !f.ID.IsZero() {
					id = " (" + f.ID.String() + ")"
				}
				fmt.Fprintf(w, "  %s: %s%s\n", kind.word, approval.Display(f.String()), id)
			}
		}
		if c.Omitted > 0 {
			fmt.Fprintf(w, "  and %d more\n", c.Omitted)
		}
	}
	_, err := fmt.Fprintf(w, "%s\n", state)
	return err
}
