package capsule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
)

// ToolsName is the file of a capsule with what it says of its tools: name, description and the JSON schema of the
// arguments. The build makes it, for people and catalogues; a running capsule is asked itself.
const ToolsName = "tools.json"

// MaxToolsSize bounds it, in bytes.
const MaxToolsSize = 1 << 20

// LoadTools lists the tools of an installed capsule, in its own order. Those that only the manifest knows, because the
// file is missing or does not have them, come last and have no description.
func LoadTools(m *Manifest) ([]abi.ToolDescription, error) {
	var d abi.ToolsDescription
	raw, err := readBounded(filepath.Join(m.Dir, ToolsName), MaxToolsSize)
	if err == nil {
		if err = json.Unmarshal(raw, &d); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", ToolsName, m.ID(), err)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, ic := range m.Interceptors {
		name, ok := strings.CutPrefix(ic.Event, abi.TopicToolExecutePrefix)
		if ok && name != "" && !strings.ContainsAny(name, ".*") && !slices.ContainsFunc(d.Tools, func(t abi.ToolDescription) bool { return t.Name == name }) {
			d.Tools = append(d.Tools, abi.ToolDescription{Name: name})
		}
	}
	return d.Tools, nil
}
