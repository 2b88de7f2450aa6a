package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/cmd/astrid/client"
)

// Topics of the registry of models, which answers whoever asks on the same topic.
const (
	topicRegistry         = "registry.v1."
	topicRegistryResponse = "registry.v1.response."
)

func newModels(sys System) *cobra.Command {
	var asJSON bool
	list := func(cmd *cobra.Command, _ []string) error { return listModels(cmd.Context(), sys, asJSON) }
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List the models that can be used, and choose one",
		Example: `  astrid models refresh
  astrid models use openai-compat`,
		Args: cobra.NoArgs,
		RunE: list,
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the models; * marks the one in use", Args: cobra.NoArgs, RunE: list},
		&cobra.Command{Use: "refresh [PROVIDER]", Short: "Ask a provider, or the one in use, which models it has now", Args: cobra.MaximumNArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return refreshModels(cmd.Context(), sys, strings.Join(args, ""), asJSON)
			}},
		&cobra.Command{Use: "use MODEL", Short: "Use a model from now on", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return useModel(cmd.Context(), sys, args[0], asJSON) }},
	)
	return cmd
}

// modelInfo is one line of astrid models.
type modelInfo struct {
	abi.ProviderDescription
	Active bool `json:"active"`
}

func listModels(ctx context.Context, sys System, asJSON bool) error {
	conn, err := sys.daemon(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := client.Ask[[]abi.ProviderDescription](ctx, conn, topicRegistry+"get_providers", topicRegistryResponse+"get_providers", struct{}{})
	if err != nil {
		return err
	}
	active, err := activeModel(ctx, conn)
	if err != nil {
		return err
	}
	list := []modelInfo{}
	for _, p := range found {
		list = append(list, modelInfo{p, p.ID == active.ID})
	}
	if asJSON {
		return writeJSON(sys.Stdout, list)
	}
	if len(list) == 0 {
		sys.notef("no model can be used: astrid init --provider NAME installs a provider")
		return nil
	}
	rows := [][]string{{"", "MODEL", "CONTEXT", "ABOUT"}}
	for _, m := range list {
		mark := " "
		if m.Active {
			mark = "*"
		}
		window := ""
		if m.ContextWindow > 0 {
			window = strconv.FormatUint(m.ContextWindow, 10)
		}
		rows = append(rows, []string{mark, clip(oneLine(m.ID)), window, clip(oneLine(m.Description))})
		if m.Problem != "" {
			sys.notef("%s: %s", oneLine(m.ID), oneLine(m.Problem))
		}
	}
	return table(sys.Stdout, rows)
}

// activeModel is the model in use; its id is empty when there is none.
func activeModel(ctx context.Context, conn *client.Conn) (abi.ProviderDescription, error) {
	return client.Ask[abi.ProviderDescription](ctx, conn, topicRegistry+"get_active_model", topicRegistryResponse+"get_active_model", struct{}{})
}

func refreshModels(ctx context.Context, sys System, provider string, asJSON bool) error {
	conn, err := sys.daemon(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if provider == "" {
		active, err := activeModel(ctx, conn)
		if err != nil {
			return err
		}
		if provider, _, _ = strings.Cut(active.ID, ":"); provider == "" {
			return fail(ExitError, "no model is in use: name a provider")
		}
	}
	done, err := client.Ask[abi.ModelsRefreshed](ctx, conn, abi.TopicRefreshModels, abi.TopicModelsRefreshed, abi.RefreshModels{Provider: provider})
	if err != nil {
		return fmt.Errorf("models of %s: %w", approval.Display(provider), err)
	}
	if asJSON {
		return writeJSON(sys.Stdout, done)
	}
	_, err = fmt.Fprintf(sys.Stdout, "%s: %s\n", oneLine(done.Provider), count(done.Models, "model"))
	return err
}

func useModel(ctx context.Context, sys System, id string, asJSON bool) error {
	if id == "" {
		return fail(ExitUsage, "the model's name is empty: see astrid models")
	}
	conn, err := sys.daemon(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := client.Ask[struct {
		Active *abi.ProviderDescription `json:"active_model"`
	}](ctx, conn, topicRegistry+"set_active_model", topicRegistryResponse+"set_active_model", map[string]string{"model_id": id})
	if err != nil {
		return fmt.Errorf("%w: see astrid models", err)
	}
	if answer.Active == nil {
		return errors.New("the registry did not say which model is in use")
	}
	if asJSON {
		return writeJSON(sys.Stdout, modelInfo{*answer.Active, true})
	}
	_, err = fmt.Fprintf(sys.Stdout, "%s\n", oneLine(answer.Active.ID))
	return err
}
