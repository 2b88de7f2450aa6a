package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/tui"
	"github.com/unicity-astrid/astrid-go/kernel/config"
	"github.com/unicity-astrid/astrid-go/kernel/home"
)

// completionPatience bounds how long Tab may take. A daemon is asked if one runs, and never started for it.
const completionPatience = 2 * time.Second

// completer lists what may stand somewhere on the command line: words, each maybe with a tab and what it is.
type completer func(context.Context, System) ([]string, error)

// completedArgs are the names that the usage lines have for arguments.
var completedArgs = map[string]completer{
	"SESSION": completeSessions, "MODEL": completeModels, "PROVIDER": completeProviders, "KEY": completeKeys, "SECTION": completeSections,
	"MODE": words("safe", "guided", "autonomous", "yolo"), "CAPSULE": completeCapsules,
}

// completedFlags are flags whose values are known, wherever they are.
var completedFlags = map[string]completer{
	"session": completeSessions, "resume": completeSessions, "model": completeModels, "capsule": completeCapsules,
	"mode": words("safe", "guided", "autonomous", "yolo"), "theme": words(tui.ThemeNames...), "verdict": words("allow", "deny", "defer"),
	"output-format": words(formats...), "input-format": words("text", "stream-json"), "shell": words("bash", "zsh", "fish"),
}

// complete gives every command the completion of its arguments and flags.
func complete(cmd *cobra.Command, sys System) {
	if cmd.ValidArgsFunction == nil && cmd.HasParent() {
		cmd.ValidArgsFunction = completeArgs(cmd, sys)
	}
	for name, c := range completedFlags {
		if f := cmd.LocalFlags().Lookup(name); f != nil && f.Value.Type() != "bool" && cmd.InheritedFlags().Lookup(name) == nil {
			// It fails only for a flag that is not there, or was given one before.
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return offer(cmd, sys, c, typed)
			})
		}
	}
	for _, sub := range cmd.Commands() {
		complete(sub, sys)
	}
}

// completeArgs completes by the usage line: "rename SESSION TITLE" has a session first.
func completeArgs(cmd *cobra.Command, sys System) cobra.CompletionFunc {
	places := strings.Fields(cmd.Use)[1:]
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		place := strings.Trim(places[len(args)], "[]")
		if place == "NAME" && cmd.Parent().Name() == "capsule" {
			place = "CAPSULE"
		}
		if c := completedArgs[place]; c != nil {
			return offer(cmd, sys, c, typed)
		}
		if place == "ID" || place == "NAME" || place == "TEXT" || place == "AUDIT-ID" || place == "TITLE" || place == "VALUE" || place == "LABEL" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault // a path
	}
}

// offer lists what begins with what was typed.
func offer(cmd *cobra.Command, sys System, c completer, typed string) ([]string, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := context.WithTimeout(ctx, completionPatience)
	defer stop()
	list, err := c(ctx, sys)
	if err != nil {
		cobra.CompDebugln(err.Error(), false) // Tab has nowhere else to say it
	}
	var out []string
	for _, s := range list {
		word, what, _ := strings.Cut(s, "\t")
		short, cut := strings.CutPrefix(word, "astrid-capsule-")
		switch {
		case strings.HasPrefix(word, typed):
		case cut && strings.HasPrefix(short, typed):
			word = short
		default:
			continue
		}
		if word = oneLine(word); what != "" {
			word += "\t" + oneLine(what)
		}
		out = append(out, word)
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func words(list ...string) completer {
	return func(context.Context, System) ([]string, error) { return append([]string(nil), list...), nil }
}

// asked is what a running daemon answers; nothing, if none runs.
func asked(ctx context.Context, sys System, ask func(*client.Conn) ([]string, error)) ([]string, error) {
	h, err := home.Resolve(sys.Getenv)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(h.Root()); err != nil {
		return nil, err
	}
	conn, err := sys.running(ctx)
	if err != nil || conn == nil {
		return nil, err
	}
	defer conn.Close()
	return ask(conn)
}

func completeSessions(ctx context.Context, sys System) ([]string, error) {
	return asked(ctx, sys, func(conn *client.Conn) ([]string, error) {
		list, _, err := sessions(ctx, conn, abi.SessionListRequest{}, 100)
		var out []string
		for _, s := range list {
			out = append(out, s.SessionID+"\t"+s.Title)
		}
		return out, err
	})
}

func providers(ctx context.Context, sys System) (list []abi.ProviderDescription, err error) {
	_, err = asked(ctx, sys, func(conn *client.Conn) ([]string, error) {
		list, err = client.Ask[[]abi.ProviderDescription](ctx, conn, topicRegistry+"get_providers", topicRegistryResponse+"get_providers", struct{}{})
		return nil, err
	})
	return list, err
}

func completeModels(ctx context.Context, sys System) (out []string, err error) {
	list, err := providers(ctx, sys)
	for _, p := range list {
		// Shells cut words at colons: the part behind one is offered too, where it is enough.
		out = append(out, p.ID+"\t"+p.Description)
		if _, model, ok := strings.Cut(p.ID, ":"); ok && abi.FindModel(list, model) != nil {
			out = append(out, model+"\t"+p.Description)
		}
	}
	return out, err
}

func completeProviders(ctx context.Context, sys System) (out []string, err error) {
	list, err := providers(ctx, sys)
	seen := map[string]bool{}
	for _, p := range list {
		if name, _, _ := strings.Cut(p.ID, ":"); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out, err
}

func completeCapsules(_ context.Context, sys System) (out []string, err error) {
	h, err := home.Resolve(sys.Getenv)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(h.Root()); err != nil {
		return nil, err // it is not made by a Tab
	}
	c, err := openCapsules(sys)
	if err != nil {
		return nil, err
	}
	list, err := c.describeAll()
	for _, i := range list {
		out = append(out, i.Name+"\t"+i.Description)
	}
	return out, err
}

func completeKeys(context.Context, System) (out []string, err error) {
	entries, err := new(config.Config).Entries("") // what they are set to does not matter
	for _, e := range entries {
		out = append(out, e.Key+"\t"+e.Doc)
	}
	return out, err
}

func completeSections(ctx context.Context, sys System) (out []string, err error) {
	keys, err := completeKeys(ctx, sys)
	seen := map[string]bool{}
	for _, k := range keys {
		k, _, _ = strings.Cut(k, "\t")
		for i, r := range k {
			if r == '.' && !seen[k[:i]] {
				seen[k[:i]] = true
				out = append(out, k[:i])
			}
		}
	}
	return append(out, keys...), err
}
