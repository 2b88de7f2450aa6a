package cli

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestSetTOML(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"an empty file", "", "[workspace]\nmode = \"guided\"\n"},
		{"no table", "# mine\nstorage = \"mem:\"", "# mine\nstorage = \"mem:\"\n\n[workspace]\nmode = \"guided\"\n"},
		{"a value and its comment", "[workspace]\nmode = \"safe\" # why\n[budget]\nsession_max_usd = 1.0 # x\n",
			"[workspace]\nmode = \"guided\" # why\n[budget]\nsession_max_usd = 1.0 # x\n"},
		{"spaces and single quotes", "  [ workspace ] # here\n\tmode='yolo'\n", "  [ workspace ] # here\n\tmode=\"guided\"\n"},
		{"a table without the key", "[workspace]\n# nothing yet\n\n[audit]\nsync = \"group\"\n",
			"[workspace]\nmode = \"guided\"\n# nothing yet\n\n[audit]\nsync = \"group\"\n"},
		{"a dotted key", "workspace.mode = \"safe\"\n", "workspace.mode = \"guided\"\n"},
		{"the same word elsewhere", "[other]\nmode = \"x\"\n[workspace]\nmode = \"safe\"\n", "[other]\nmode = \"x\"\n[workspace]\nmode = \"guided\"\n"},
		{"line ends of Windows", "[workspace]\r\nmode = \"safe\"\r\n", "[workspace]\r\nmode = \"guided\"\r\n"},
		{"set already", "[workspace]\nmode = \"guided\"", "[workspace]\nmode = \"guided\""},
		{"a header within a string", "a = '''\n[workspace]\nmode = \"safe\"\n'''\n", "a = '''\n[workspace]\nmode = \"safe\"\n'''\n\n[workspace]\nmode = \"guided\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := setTOML(c.in, "workspace", "mode", `"guided"`)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	for _, byHand := range []string{"workspace = { mode = \"safe\" }\n", "[workspace]\nmode = \"\"\"safe\"\"\"\n", "[workspace]\n\"mode\" = \"safe\"\n"} {
		if got, err := setTOML(byHand, "workspace", "mode", `"guided"`); !errors.Is(err, errByHand) {
			t.Errorf("%q became %q, %v", byHand, got, err)
		}
	}
	for _, broken := range []string{"[workspace", "workspace = 1\n"} {
		if got, err := setTOML(broken, "workspace", "mode", `"guided"`); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}

func TestSetTOMLValues(t *testing.T) {
	for _, c := range []struct{ name, in, section, key, value, want string }{
		{"a number", "[budget]\nsession_max_usd = 1.0 # x\n", "budget", "session_max_usd", "2.5", "[budget]\nsession_max_usd = 2.5 # x\n"},
		{"a boolean", "", "security.policy", "require_approval_for_delete", "false", "[security.policy]\nrequire_approval_for_delete = false\n"},
		{"a list", "[security.policy]\ndenied_hosts = [\"a\"]\n", "security.policy", "denied_hosts", `["a", "b"]`, "[security.policy]\ndenied_hosts = [\"a\", \"b\"]\n"},
		{"before all tables", "# mine\n[workspace]\n", "", "storage", `"mem:"`, "storage = \"mem:\"\n# mine\n[workspace]\n"},
		{"again", "storage = \"x\" # y\n[workspace]\nstorage = 1\n", "", "storage", `"mem:"`, "storage = \"mem:\" # y\n[workspace]\nstorage = 1\n"},
		{"a deep dotted key", "security . policy.max_argument_size = 5\n", "security.policy", "max_argument_size", "6", "security . policy.max_argument_size = 6\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := setTOML(c.in, c.section, c.key, c.value)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	multi := "[security.policy]\ndenied_hosts = [\n  \"a\", # why\n]\n"
	if got, err := setTOML(multi, "security.policy", "denied_hosts", `["b"]`); !errors.Is(err, errByHand) {
		t.Errorf("a list with comments became %q, %v", got, err)
	}
}

// FuzzSetTOML: whatever the file looks like, only the one key changes.
func FuzzSetTOML(f *testing.F) {
	for _, seed := range []string{"", "[workspace]\nmode = \"safe\" # c\n", "workspace.mode='x'", "a = '''\n[workspace]\nmode = \"x\"\n'''", "[workspace.deep]\nmode = \"x\"", "[[workspace]]\nmode=\"x\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, ".") > 16 || strings.Count(text, "[") > 16 {
			return // the parser's time grows with the cube of the depth
		}
		out, err := setTOML(text, "workspace", "mode", `"guided"`)
		if err != nil {
			return
		}
		before, after := map[string]any{}, map[string]any{}
		if _, err := toml.Decode(text, &before); err != nil {
			t.Fatalf("a broken file was edited: %q", text)
		}
		if _, err := toml.Decode(out, &after); err != nil {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
		was, _ := before["workspace"].(map[string]any)
		is := after["workspace"].(map[string]any)
		if is["mode"] != "guided" {
			t.Fatalf("%q became %q", text, out)
		}
		delete(is, "mode")
		delete(was, "mode")
		delete(before, "workspace")
		delete(after, "workspace")
		if len(was) != len(is) || len(was) > 0 && !reflect.DeepEqual(was, is) || !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q", text, out)
		}
	})
}
