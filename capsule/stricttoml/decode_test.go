package stricttoml

import (
	"errors"
	"strings"
	"testing"
)

type inner struct {
	Name  string   `toml:"name,required"`
	Count uint32   `toml:"count"`
	Tags  []string `toml:"tags"`
}

type outer struct {
	Title string            `toml:"title"`
	On    bool              `toml:"on"`
	Small int8              `toml:"small"`
	Items []inner           `toml:"item"`
	One   *inner            `toml:"one"`
	Map   map[string]string `toml:"map"`
	Any   any               `toml:"any"`
	Word  word              `toml:"word"`
	Plain string
}

// word has a form of its own: a string, or a table with one.
type word string

func (w *word) UnmarshalTOML(n Node) error {
	if text, ok := n.Text(); ok {
		if text == "bad" {
			return errors.New("it is bad")
		}
		*w = word(text)
		return nil
	}
	var table struct {
		Text string `toml:"text,required"`
	}
	n.Decode(&table)
	*w = word(table.Text)
	return nil
}

func decode(text string) (outer, error) {
	var v outer
	doc, err := Parse("f.toml", []byte(text))
	if err != nil {
		return v, err
	}
	return v, doc.Decode(&v, Options{Retired: map[string]string{"gone": "gone is retired", "item.old": "old is called new", "map.*.x": "never"}})
}

func TestDecode(t *testing.T) {
	v, err := decode(`
title = "t"
on = true
small = -128
any = [1, { a = 2 }]
word = { text = "w" }
one = { name = "o", count = 4294967295 }
[map]
"a.b" = "c"
[[item]]
name = "first"
tags = ["x",
  "y"]
[[item]]
name = "second"
`)
	if err != nil {
		t.Fatal(err)
	}
	if v.Title != "t" || !v.On || v.Small != -128 || v.Word != "w" || v.One.Count != 4294967295 || v.Map["a.b"] != "c" || v.Any == nil {
		t.Errorf("%+v", v)
	}
	if len(v.Items) != 2 || v.Items[1].Name != "second" || strings.Join(v.Items[0].Tags, "") != "xy" {
		t.Errorf("%+v", v.Items)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", "title = ", "f.toml:1: "},
		{"duplicate", "title = \"a\"\ntitle = \"b\"", "f.toml:2: "},
		{"unknown", "\ntitel = 1", "f.toml:2: titel: unknown key; did you mean \"title\"?"},
		{"case", "Title = \"x\"", "f.toml:1: Title: unknown key; did you mean \"title\"?"},
		{"unknown without neighbour", "completely = 1", "f.toml:1: completely: unknown key"},
		{"field without a tag", "Plain = \"x\"", "unknown key"},
		{"unknown in the second element", "[[item]]\nname = \"a\"\n[[item]]\nname = \"b\"\ncuont = 1", "f.toml:5: item[1].cuont: unknown key; did you mean \"count\"?"},
		{"unknown in an inline table", "one = { name = \"a\",\n  nme = 1 }", "f.toml:2: one.nme: unknown key"},
		{"quoted key", "[map]\na = \"x\"\n\"b c\" = 1", "f.toml:3: map.\"b c\": want a string, found an integer"},
		{"retired", "[gone]\nx = 1", "f.toml:1: gone: gone is retired"},
		{"retired in an element", "[[item]]\nname = \"a\"\nold = 1", "f.toml:3: item[0].old: old is called new"},
		{"required", "[[item]]\ncount = 1", "f.toml:1: item[0]: missing required key \"name\""},
		{"string wanted", "title = 1", "want a string, found an integer"},
		{"boolean wanted", "on = \"true\"", "want a boolean, found a string"},
		{"integer wanted", "small = 1.5", "want an integer, found a float"},
		{"date", "title = 2026-01-01", "found a date"},
		{"list wanted", "[[item]]\nname = \"a\"\ntags = \"x\"", "f.toml:3: item[0].tags: want an array of strings, found a string"},
		{"element of a list", "[[item]]\nname = \"a\"\ntags = [\"x\",\n2]", "f.toml:4: item[0].tags[1]: want a string, found an integer"},
		{"table for an array of tables", "[item]\nname = \"a\"", "f.toml:1: item: want an array of tables: write [[item]] instead of [item]"},
		{"table for a list", "[[item]]\nname = \"a\"\n[item.tags]\n", "want an array of strings, found a table"},
		{"table wanted", "one = 3", "want a table, found an integer"},
		{"table wanted for a map", "map = [\"a\"]", "want a table, found an array"},
		{"too large", "small = 128", "128 is out of range"},
		{"negative", "one = { name = \"a\", count = -1 }", "-1 is out of range: want 0 to 4294967295"},
		{"beyond 32 bits", "one = { name = \"a\", count = 4294967296 }", "out of range"},
		{"own form", "word = \"bad\"", "f.toml:1: word: it is bad"},
		{"own form with a wrong type", "word = 3", "f.toml:1: word: want a table, found an integer"},
		{"own form with an unknown key", "[word]\ntext = \"x\"\nmore = 1", "f.toml:3: word.more: unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to mention %q", err, tt.want)
			}
			var list ErrorList
			var one *Error
			if !errors.As(err, &list) || !errors.As(err, &one) || one.File != "f.toml" {
				t.Errorf("error has type %T", err)
			}
		})
	}
}

func TestDecodeReportsEverythingInLineOrder(t *testing.T) {
	_, err := decode("title = 1\n[[item]]\nname = 2\nx = 3\n[zzz]\n")
	var list ErrorList
	if !errors.As(err, &list) || len(list) != 4 {
		t.Fatal(err)
	}
	for i, line := range []int{1, 3, 4, 5} {
		if list[i].Line != line {
			t.Errorf("complaint %d is about line %d: %v", i, list[i].Line, list[i])
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"name", "version", "astrid-version", "fs_read", "fs_write", "ipc_publish"}
	for word, want := range map[string]string{
		"nmae": "name", "Name": "name", "versoin": "version", "fs-read": "fs_read", "fsread": "fs_read", "ipc_pubilsh": "ipc_publish",
		"astrid_version": "astrid-version", "x": "", "totally_different": "", "": "", "na": "", strings.Repeat("x", 500): "",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("%q: suggested %q, want %q", word, got, want)
		}
	}
}
