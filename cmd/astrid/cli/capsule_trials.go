package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/capsule"
	"github.com/unicity-astrid/astrid-go/capsule/store"
	"github.com/unicity-astrid/astrid-go/capsule/trial"
)

func newCapsuleTest(sys System) *cobra.Command {
	var update bool
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "Run a capsule's recorded calls against a fake host",
		Long: `Build a capsule and run the cases in its directory "trials", each against a host of its own
whose effects stay in it. Of the network, of programs and other capsules there is what the
case says, within what the manifest permits.

A case is a file NAME.toml:

  tool = "demo"                    # or action = "…", or lifecycle = "install"
  input = '{"name": "Ida"}'        # arguments of the tool, or payload of the action
  want = '"Hello, Ida!"'           # optional: the result; for a refusal its text
  fails = false                    # optional: the result must be an error, or a refusal
  [config]                         # settings
  greeting = "Hello"
  [files]                          # of the workspace
  "notes.txt" = "text"
  [kv]
  count = "1"
  [answers]                        # to questions of lifecycle hooks
  key = "value"
  [hooks]                          # what other capsules answer, as JSON
  "demo.v1.hook" = ['{"ok": true}']
  [users]                          # who an account belongs to
  "chat/7" = "Ida"
  [[http]]                         # a request, and the answer to it
  method = "POST"                  # default GET
  url = "https://api.example.org/v1/items"
  body = '{"n": 1}'                # optional: what must be sent
  status = 201                     # default 200
  headers = { content-type = "application/json" }
  reply = '{"id": 7}'
  [[run]]                          # a program, and what it does
  argv = ["git", "status"]
  stdin = ""
  exit = 0
  stdout = "clean\n"
  stderr = ""
  [[reply]]                        # a message that answers one of the capsule's
  to = "other.v1.request"
  topic = "other.v1.response.{{ request_id }}"
  payload = '{"request_id": "{{ request_id }}"}'

Each of the last three is given once, and must be asked for.
Every call that the capsule makes is compared with NAME.calls, one a line; --update writes
these files.

Exit codes: 0 all is as recorded, 1 something is not.`,
		Example: "  astrid capsule test ./demo --update",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if !filepath.IsAbs(dir) {
				cwd, err := sys.Getwd()
				if err != nil {
					return err
				}
				dir = filepath.Join(cwd, dir)
			}
			c, err := openCapsules(sys)
			if err != nil {
				return err
			}
			return c.trials(cmd.Context(), dir, update)
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "record the calls instead of comparing them")
	return cmd
}

// trialCase is a case of capsule test.
type trialCase struct {
	Tool      string            `toml:"tool"`
	Action    string            `toml:"action"`
	Lifecycle string            `toml:"lifecycle"`
	Input     string            `toml:"input"`
	Want      *string           `toml:"want"`
	Fails     bool              `toml:"fails"`
	Config    map[string]string `toml:"config"`
	Files     map[string]string `toml:"files"`
	KV        map[string]string `toml:"kv"`
	Answers   map[string]string `toml:"answers"`
	trial.Recorded
}

// trials builds the capsule and runs all its cases.
func (c *capsules) trials(ctx context.Context, dir string, update bool) error {
	cases, err := filepath.Glob(filepath.Join(dir, "trials", "*.toml"))
	if err != nil || len(cases) == 0 {
		return errors.Join(err, fail(ExitUsage, "there is no case in %s: see astrid capsule test --help", filepath.Join(dir, "trials")))
	}
	m, wasm, err := c.buildForTrial(ctx, dir)
	if err != nil {
		return err
	}
	// A project of somebody else must not have files outside of it read or written, by links.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	bad := 0
	for _, path := range cases {
		name := strings.TrimSuffix(filepath.Base(path), ".toml")
		switch err := runTrial(ctx, m, wasm, root, "trials/"+name, update); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			bad++
			fmt.Fprintf(c.sys.Stdout, "FAIL  %s\n", name)
			c.sys.notef("%s: %s", name, printable(err.Error()))
		default:
			fmt.Fprintf(c.sys.Stdout, "ok    %s\n", name)
		}
	}
	if bad > 0 {
		return fail(ExitError, "%d of %d cases failed", bad, len(cases))
	}
	return nil
}

// buildForTrial builds dir and returns manifest and module as they would be installed.
func (c *capsules) buildForTrial(ctx context.Context, dir string) (*capsule.Manifest, []byte, error) {
	scratch, err := os.MkdirTemp("", "astrid-test-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(scratch)
	f, err := c.packageOf(ctx, dir, scratch, "", origin{offline: true})
	if err != nil {
		return nil, nil, err
	}
	s := store.Store{Dir: filepath.Join(scratch, "capsules"), BinDir: filepath.Join(scratch, "bin")}
	i, err := s.InstallPath(ctx, f.path, store.InstallOptions{})
	if err == nil {
		err = i.Err
	}
	if err != nil {
		return nil, nil, err
	}
	if i.Manifest.Main() == nil {
		return nil, nil, fail(ExitUsage, "%s has no component that could be run", i.Name)
	}
	wasm, err := store.VerifyBinary(i.Dir, i.Manifest, i.Meta, s.BinDir)
	return i.Manifest, wasm, err
}

// runTrial runs the case in the file name.toml of a project.
func runTrial(ctx context.Context, m *capsule.Manifest, wasm []byte, root *os.Root, name string, update bool) error {
	var tc trialCase
	text, err := root.ReadFile(name + ".toml")
	if err != nil {
		return err
	}
	meta, err := toml.Decode(string(text), &tc)
	if err != nil {
		return err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("%s is no key of a case", unknown[0])
	}
	t, err := trial.Open(ctx, m, wasm, trial.Options{Config: tc.Config, Files: tc.Files, KV: tc.KV, Answers: tc.Answers, Recorded: tc.Recorded})
	if err != nil {
		return err
	}
	got, failed, err := tc.run(ctx, t)
	left := t.Left()
	record := strings.Join(append(t.Record(), ""), "\n")
	if err = errors.Join(err, t.Close()); err != nil {
		return err
	}
	if failed != tc.Fails {
		return fmt.Errorf("failed is %v, want %v: %s", failed, tc.Fails, got)
	}
	if tc.Want != nil && got != *tc.Want {
		return fmt.Errorf("the result is %s, want %s", got, *tc.Want)
	}
	if left != nil {
		return left
	}
	if update {
		return root.WriteFile(name+".calls", []byte(record), 0o644)
	}
	want, err := root.ReadFile(name + ".calls")
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its calls were not recorded yet: add --update")
	}
	if err == nil && string(want) != record {
		err = fmt.Errorf("its calls differ: %s", firstDifference(string(want), record))
	}
	return err
}

// run makes the call of the case.
func (tc *trialCase) run(ctx context.Context, t *trial.Trial) (got string, failed bool, err error) {
	switch {
	case tc.Tool != "" && tc.Action == "" && tc.Lifecycle == "":
		r, err := t.Tool(ctx, tc.Tool, json.RawMessage(tc.Input))
		return r.Content, r.IsError, err
	case tc.Action != "" && tc.Tool == "" && tc.Lifecycle == "":
		r, err := t.Call(ctx, tc.Action, []byte(tc.Input))
		if r.Verdict == capsule.Deny {
			return r.Reason, true, err
		}
		return string(r.Payload), false, err
	case tc.Lifecycle == "install" && tc.Tool == "" && tc.Action == "":
		err := t.Lifecycle(ctx, "")
		return errorText(err), err != nil, nil
	case tc.Lifecycle == "upgrade" && tc.Input != "" && tc.Tool == "" && tc.Action == "":
		err := t.Lifecycle(ctx, tc.Input)
		return errorText(err), err != nil, nil
	}
	return "", false, errors.New("a case has one of: tool, action, lifecycle = \"install\", or lifecycle = \"upgrade\" with the version before as input")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		w, g := "nothing more", "nothing more"
		if i < len(a)-1 {
			w = a[i]
		}
		if i < len(b)-1 {
			g = b[i]
		}
		if w != g {
			return fmt.Sprintf("line %d is %q, recorded is %q", i+1, g, w)
		}
	}
	return "in their line ends"
}
