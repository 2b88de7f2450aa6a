package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/unicity-astrid/astrid-go/capsule/distro"
)

// answerEnv begins the environment variables that answer questions: ASTRID_ANSWER_OPENAI_API_KEY
// answers openai_api_key.
const answerEnv = "ASTRID_ANSWER_"

// given are answers to questions that are not asked any more: from the environment, from a
// file, from flags, the later ones stronger. In a file and in flags {{ NAME }} stands for the
// environment variable NAME, so that no secret has to be written there.
type given struct {
	sys   System
	file  map[string]string
	flags map[string]string
	hooks map[string][]string // of the file's [hooks]: what capsules ask, by "key" or "capsule.key"
	used  map[string]bool
}

// maxAnswers bounds an answers file in bytes.
const maxAnswers = 1 << 20

// gather reads the file, if there is one, and the flags.
func (s System) gather(file string, set []string) (*given, error) {
	g := &given{sys: s, file: map[string]string{}, flags: map[string]string{}, hooks: map[string][]string{}, used: map[string]bool{}}
	for _, kv := range set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" {
			return nil, fail(ExitUsage, "--set %s: use NAME=VALUE", key)
		}
		g.flags[key] = value
	}
	if file == "" {
		return g, nil
	}
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > maxAnswers {
		return nil, fail(ExitUsage, "--answers %s: want a file of at most %d bytes (%w)", file, maxAnswers, orRegular(err))
	}
	raw := map[string]any{}
	if _, err := toml.DecodeFile(file, &raw); err != nil {
		return nil, fail(ExitUsage, "--answers %s: write lines like name = \"value\": %w", file, err)
	}
	for k, v := range raw {
		switch v := v.(type) {
		case string:
			g.file[k] = v
		case int64, float64, bool:
			g.file[k] = fmt.Sprint(v)
		default:
			if table, ok := v.(map[string]any); ok && k == hooksTable {
				if err := g.readHooks(table, ""); err != nil {
					return nil, fail(ExitUsage, "--answers %s: %w", file, err)
				}
				continue
			}
			return nil, fail(ExitUsage, "--answers %s: %s must be a string, a number or true or false", file, k)
		}
	}
	return g, nil
}

func orRegular(err error) error {
	if err == nil {
		return fmt.Errorf("it is none")
	}
	return err
}

// expand replaces {{ NAME }} by the environment variable NAME.
func (g *given) expand(text string) (string, error) {
	return distro.Expand(text, func(variable string) (string, error) {
		if value, ok := g.sys.Getenv(variable); ok {
			return value, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set", variable)
	})
}

// answer is the answer to a question; empty ones count.
func (g *given) answer(name string) (string, bool, error) {
	for _, from := range []map[string]string{g.flags, g.file} {
		if v, ok := from[name]; ok {
			g.used[name] = true
			text, err := g.expand(v)
			if err != nil {
				err = fail(ExitUsage, "%s: %w", name, err)
			}
			return text, true, err
		}
	}
	v, ok := g.sys.Getenv(answerEnv + strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	return v, ok, nil
}

// unused lists the names from flags and file that no question had.
func (g *given) unused() []string {
	var out []string
	for _, from := range []map[string]string{g.flags, g.file} {
		for _, name := range names(from) {
			if !g.used[name] && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
