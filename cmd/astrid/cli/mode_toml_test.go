package cli

import (
	"errors"
	"testing"
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
			got, err := setTOML(c.in, "workspace", "mode", "guided")
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	for _, byHand := range []string{"workspace = { mode = \"safe\" }\n", "[workspace]\nmode = \"\"\"safe\"\"\"\n", "[workspace]\n\"mode\" = \"safe\"\n"} {
		if got, err := setTOML(byHand, "workspace", "mode", "guided"); !errors.Is(err, errByHand) {
			t.Errorf("%q became %q, %v", byHand, got, err)
		}
	}
	for _, broken := range []string{"[workspace", "workspace = 1\n"} {
		if got, err := setTOML(broken, "workspace", "mode", "guided"); err == nil {
			t.Errorf("%q became %q", broken, got)
		}
	}
}
