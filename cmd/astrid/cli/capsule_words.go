package cli

import (
	"fmt"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/approval"
	"github.com/unicity-astrid/astrid-go/capsule"
)

// maxTopics is how many grants about messages a review shows: a long list of them must not push the others off the screen.
const maxTopics = 20

// review puts grants, or changes, into the order in which people read them: what reaches beyond messages comes last,
// next to the question. The lines are safe to show.
func review(grants []string, env map[string]string) []string {
	var topics, others []string
	for _, g := range grants {
		switch kind, _, _ := strings.Cut(strings.TrimLeft(g, "+- "), " "); kind {
		case "handles", "publishes", "subscribes":
			topics = append(topics, inWords(g, env))
		default:
			others = append(others, inWords(g, env))
		}
	}
	if more := len(topics) - maxTopics; more > 0 {
		topics = append(topics[:maxTopics], fmt.Sprintf("and %s more", count(more, "topic")))
	}
	return append(topics, others...)
}

// inWords adds to a line of grants, or of changes, what it means. env has the settings as far as they are known. The
// line is safe to show: letters that pass for others are escapes.
func inWords(grant string, env map[string]string) string {
	text := strings.TrimLeft(grant, "+- ")
	sign := grant[:len(grant)-len(text)]
	kind, what, _ := strings.Cut(text, " ")
	var words string
	switch kind {
	case "reads", "writes":
		words = place(what)
	case "network":
		words, text = reach(what), "network "+capsule.NetText(what, env)
	case "runs":
		text = "runs " + capsule.ProcessText(what, env)
		words = "in the sandbox, over the files of the workspace"
	case "listens":
		words = "on a socket of its own, for programs of this user"
	case "identity":
		words = map[string]string{
			"resolve": "looks up who an account belongs to", "link": "ties accounts to users, after a question", "admin": "creates users, after a question",
		}[what]
	case "publishes":
		words = topic(what, "sends")
	case "subscribes", "handles":
		words = topic(what, "gets")
	case "guards":
		words = "sees it first, and may stop or change it"
	}
	if words == "" {
		return sign + approval.Display(text)
	}
	return sign + approval.Display(text) + ": " + words
}

// place says where files are.
func place(entry string) string {
	switch rel, home := strings.CutPrefix(entry, "home://"); {
	case entry == "*" || entry == "cwd://":
		return "the files of the workspace"
	case strings.HasPrefix(entry, "cwd://"):
		return "in the workspace"
	case entry == "home://":
		return "Astrid's files of this user, apart from keys, secrets and other capsules' data; asked when used"
	case home && strings.HasSuffix(rel, "/"):
		return "a directory of Astrid's files of this user"
	case home:
		return "one of Astrid's files of this user"
	}
	return "anywhere below that path"
}

// reach says how far an entry of net goes.
func reach(entry string) string {
	rules, err := (&capsule.Capabilities{Net: []string{entry}}).ResolveNet(nil)
	if err != nil || len(rules) == 0 {
		return "" // it stands for a setting
	}
	switch r := rules[0]; {
	case r.Host == "*":
		return "any public host; asked when used"
	case r.Only:
		return "every host below it; asked when used"
	case r.Exact():
		return "exactly that, also in a private network"
	case r.Subdomains:
		return "that host and those below it"
	}
	return ""
}

// topic says what the messages of some topics are about.
func topic(pattern, does string) string {
	if name, ok := strings.CutPrefix(pattern, abi.TopicToolExecutePrefix); ok && does == "gets" && !strings.ContainsAny(name, ".*") {
		return "runs when a model calls the tool"
	}
	if strings.HasPrefix(pattern, abi.TopicToolExecutePrefix) && strings.HasSuffix(pattern, ".result") {
		return does + " what tools answer"
	}
	for _, t := range []struct{ prefix, what string }{
		{"user.v1.", "what the user says"}, {"llm.v1.request.", "what is asked of models"}, {"llm.v1.stream.", "what models answer"}, {"agent.v1.", "what the agent says"},
		{"tool.v1.execute.", "calls of tools"}, {"session.v1.", "conversations"}, {"*", "messages of everybody"},
	} {
		if strings.HasPrefix(pattern, t.prefix) || strings.HasSuffix(pattern, "*") && strings.HasPrefix(t.prefix, strings.TrimSuffix(pattern, "*")) {
			return does + " " + t.what
		}
	}
	return ""
}
