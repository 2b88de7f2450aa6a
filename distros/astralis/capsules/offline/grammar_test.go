package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// shorthand of steps: tool{arguments}, joined by spaces.
func brief(steps []step) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.tool+string(s.arguments()))
	}
	return strings.Join(out, " ")
}

func TestGrammar(t *testing.T) {
	list := func(dir string) string { return `list_directory{"dir_path":"` + dir + `"}` }
	read := func(f string) string { return `read_file{"file_path":"` + f + `"}` }
	for prompt, want := range map[string]string{
		"list":                                  list("."),
		"ls":                                    list("."),
		"ls src":                                list("src"),
		"List the files here.":                  list("."),
		"list the files in src/app":             list("src/app"),
		"list the files in the docs directory":  list("docs"),
		"please list all files":                 list("."),
		"show me the files in a":                list("a"),
		"show the files":                        list("."),
		"list 'my dir'":                         "",
		"read notes.txt":                        read("notes.txt"),
		"Please read the file notes.txt":        read("notes.txt"),
		"show notes.txt":                        read("notes.txt"),
		"cat a/b.go?":                           read("a/b.go"),
		"read home://memory.md":                 read("home://memory.md"),
		"what is in README.md?":                 read("README.md"),
		"what does the file a.txt say?":         read("a.txt"),
		"read":                                  "",
		"search for TODO":                       `grep_search{"pattern":"TODO"}`,
		"grep \"a b\" in src":                   `grep_search{"dir_path":"src","pattern":"a b"}`,
		"find grüße in docs?":                   `grep_search{"dir_path":"docs","pattern":"grüße"}`,
		"write hello to a.txt":                  `write_file{"content":"hello\n","file_path":"a.txt"}`,
		"write 'two words' into the file b.txt": `write_file{"content":"two words\n","file_path":"b.txt"}`,
		"write to do to a to b":                 `write_file{"content":"to do to a\n","file_path":"b"}`,
		"create a.txt with x":                   `write_file{"content":"x\n","file_path":"a.txt"}`,
		"run go test ./...":                     `run_shell_command{"command":"go test ./..."}`,
		"execute `ls -l`":                       `run_shell_command{"command":"ls -l"}`,
		"run a; b | c":                          `run_shell_command{"command":"a; b | c"}`,
		"list; run a; b, then read c":           list(".") + ` run_shell_command{"command":"a; b"} ` + read("c"),
		"run `if a; then b; fi`":                `run_shell_command{"command":"if a; then b; fi"}`,
		"remember that I like tea":              `remember{"content":"I like tea"}`,
		"Remember tea.":                         `remember{"content":"tea."}`,
		"list the files, then read a.txt":       list(".") + " " + read("a.txt"),
		"list; read a.txt and then read b":      list(".") + " " + read("a.txt") + " " + read("b"),
		"list\nread a.txt\n":                    list(".") + " " + read("a.txt"),
		"list then dance":                       "",
		"piped in\nread x\n\nlist":              list("."),
		"hello":                                 "",
		"":                                      "",
		"then":                                  "",
		" ; ; ":                                 "",
	} {
		steps, ok := parse(prompt)
		if got := brief(steps); got != want || ok != (want != "") {
			t.Errorf("%q\ngot  %s (%v)\nwant %s", prompt, got, ok, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"list the files, then read a.txt", "write \"x to y\" to z", "remember ü\n\nrun `", "show me the", "create a with\n", "use x with {\"append\": 1} then list"} {
		f.Add(s)
	}
	known := map[string]bool{"list_directory": true, "read_file": true, "grep_search": true, "write_file": true, "run_shell_command": true, "remember": true}
	f.Fuzz(func(t *testing.T, prompt string) {
		steps, ok := parse(prompt)
		if ok != (len(steps) > 0) {
			t.Fatalf("%d steps, ok %v", len(steps), ok)
		}
		for _, s := range steps {
			used := useForm.MatchString(s.said) // names any tool
			if !used && (!known[s.tool] || len(s.args) == 0) || s.tool == "" || s.said == "" || !json.Valid(s.arguments()) {
				t.Errorf("%q: %+v", prompt, s)
			}
			if utf8.ValidString(prompt) && !utf8.Valid(s.arguments()) {
				t.Errorf("%q: arguments %q", prompt, s.arguments())
			}
		}
		if again, _ := parse(prompt); brief(again) != brief(steps) {
			t.Errorf("%q: not the same twice", prompt)
		}
	})
}
