package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// usage is what the provider says when it does not understand.
const usage = `I am the offline provider: there is no model behind me. I understand these requests, several of them joined by "then":

  list [the files in] DIR
  read FILE
  search for TEXT [in DIR]
  write TEXT to FILE
  run COMMAND (in quotes if it has a "then" in it)
  remember TEXT
  use TOOL [with JSON]

Install a model with: astrid init --provider openai-compat`

// step is one request that was understood: a tool call.
type step struct {
	tool string
	args map[string]any
	said string // the request in the person's words

	appends bool // to what the step before has read
}

func (s step) arguments() json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a person reads it
	if err := e.Encode(s.args); err != nil {
		return json.RawMessage("{}") // strings and lists of strings always encode
	}
	return bytes.TrimSpace(b.Bytes())
}

// memoryFile is where "remember" writes.
const memoryFile = ".astrid/memory.md"

var (
	joints = regexp.MustCompile(`(?i)\s*(?:[,;.]?\s+(?:and\s+)?then\s+|;\s*|\n+)`)

	listForm     = regexp.MustCompile(`(?is)^(?:please\s+)?(?:list|ls|show)(?:\s+(?:me\s+)?(?:all\s+)?(?:the\s+)?(?:files|directory|contents?))?(?:\s+here)?(?:\s+(?:in|of|under))?(?:\s+(?:the\s+)?(\S+?))?(?:\s+directory)?[.?!]?$`)
	readForm     = regexp.MustCompile(`(?is)^(?:please\s+)?(?:read|show|cat|open|print)\s+(?:me\s+)?(?:the\s+)?(?:file\s+)?(\S+?)[?!]?$`)
	whatForm     = regexp.MustCompile(`(?is)^what(?:'s| is| does)\s+(?:in\s+)?(?:the\s+)?(?:file\s+)?(\S+?)(?:\s+(?:say|contain))?\?*$`)
	searchForm   = regexp.MustCompile(`(?is)^(?:please\s+)?(?:search|grep|find|look)\s+(?:for\s+)?(.+?)(?:\s+in\s+(\S+?))?[?!]?$`)
	writeForm    = regexp.MustCompile(`(?is)^(?:please\s+)?(?:write|put|save)\s+(.+)\s+(?:to|into|in)\s+(?:the\s+)?(?:file\s+)?(\S+?)[.!]?$`)
	createForm   = regexp.MustCompile(`(?is)^(?:please\s+)?create\s+(?:the\s+)?(?:file\s+)?(\S+)\s+with\s+(.+)$`)
	runForm      = regexp.MustCompile(`(?is)^(?:please\s+)?(?:run|execute)\s+(.+)$`)
	useForm      = regexp.MustCompile(`(?is)^(?:please\s+)?use\s+(?:the\s+)?(?:tool\s+)?([a-z_][\w-]*)(?:\s+tool)?(?:\s+with\s+(\{.*\}))?[.?!]?$`)
	rememberForm = regexp.MustCompile(`(?is)^(?:please\s+)?remember\s+(?:that\s+)?(.+)$`)
)

// parse understands a prompt, or part of it: ok tells whether all of it was understood.
func parse(prompt string) (steps []step, ok bool) {
	// What was piped in comes before the request; the request is the last paragraph.
	if i := strings.LastIndex(strings.TrimRight(prompt, "\n"), "\n\n"); i >= 0 {
		prompt = prompt[i+2:]
	}
	// Arguments in JSON may hold what else would part two requests.
	if s, ok := parseUse(strings.TrimSpace(prompt)); ok {
		return []step{s}, true
	}
	for _, part := range requests(strings.TrimSpace(prompt)) {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		s, understood := parseStep(part)
		if !understood {
			return nil, false
		}
		steps = append(steps, s)
	}
	return steps, len(steps) > 0
}

// runQuoted is a command line in quotes that is all there is.
var runQuoted = regexp.MustCompile("(?is)^(?:please\\s+)?(?:run|execute)\\s+(?:`[^`]*`|'[^']*'|\"[^\"]*\")$")

// requests parts a prompt. A semicolon belongs to the command line that it is in.
func requests(prompt string) []string {
	if runQuoted.MatchString(prompt) {
		return []string{prompt}
	}
	var parts []string
	at := 0
	for _, j := range joints.FindAllStringIndex(prompt, -1) {
		if strings.TrimSpace(prompt[j[0]:j[1]]) == ";" && runForm.MatchString(strings.TrimSpace(prompt[at:j[0]])) {
			continue
		}
		parts = append(parts, prompt[at:j[0]])
		at = j[1]
	}
	return append(parts, prompt[at:])
}

func parseStep(text string) (step, bool) {
	if s, ok := parseUse(text); ok {
		return s, true
	}
	s := step{said: text}
	match := func(re *regexp.Regexp) []string { return re.FindStringSubmatch(text) }
	switch {
	case match(rememberForm) != nil:
		m := match(rememberForm)
		s.tool, s.args = "remember", map[string]any{"content": unquote(m[1])}
	case match(runForm) != nil:
		m := match(runForm)
		s.tool, s.args = "run_shell_command", map[string]any{"command": unquote(m[1])}
	case match(createForm) != nil:
		m := match(createForm)
		s.tool, s.args = "write_file", map[string]any{"file_path": unquote(m[1]), "content": line(unquote(m[2]))}
	case match(writeForm) != nil:
		m := match(writeForm)
		s.tool, s.args = "write_file", map[string]any{"file_path": unquote(m[2]), "content": line(unquote(m[1]))}
	case match(searchForm) != nil:
		m := match(searchForm)
		s.tool, s.args = "grep_search", map[string]any{"pattern": unquote(m[1])}
		if m[2] != "" {
			s.args["dir_path"] = unquote(m[2])
		}
	case match(whatForm) != nil:
		s.tool, s.args = "read_file", map[string]any{"file_path": unquote(match(whatForm)[1])}
	case isList(text):
		dir := listForm.FindStringSubmatch(text)[1]
		if dir == "" || dir == "here" {
			dir = "."
		}
		s.tool, s.args = "list_directory", map[string]any{"dir_path": unquote(dir)}
	case match(readForm) != nil:
		s.tool, s.args = "read_file", map[string]any{"file_path": unquote(match(readForm)[1])}
	default:
		return step{}, false
	}
	return s, true
}

// parseUse understands the request to use any tool. Arguments that are not a JSON object
// are not understood.
func parseUse(text string) (step, bool) {
	m := useForm.FindStringSubmatch(text)
	if m == nil {
		return step{}, false
	}
	s := step{tool: m[1], args: map[string]any{}, said: text}
	if m[2] == "" {
		return s, true
	}
	d := json.NewDecoder(strings.NewReader(m[2]))
	d.UseNumber() // large numbers stay what they are
	if d.Decode(&s.args) != nil || d.More() {
		return step{}, false
	}
	return s, true
}

// isList tells "show the files" from "show notes.txt".
func isList(text string) bool {
	if !listForm.MatchString(text) {
		return false
	}
	lower := strings.ToLower(text)
	return !strings.Contains(lower, "show") || strings.Contains(lower, "files") || strings.Contains(lower, "director")
}

// unquote drops one pair of quotes around a text.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 {
		if q := s[0]; (q == '"' || q == '\'' || q == '`') && s[len(s)-1] == q {
			return s[1 : len(s)-1]
		}
	}
	return s
}

// line makes a text a whole line.
func line(s string) string {
	if strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
