package main

import (
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// markdown turns a page into Markdown: headings, paragraphs, lists, links, code, tables as
// lines. What is not read (scripts, styles, forms) is left out.
func markdown(page, base string) string {
	w := &writer{}
	w.base, _ = url.Parse(base) // a base that cannot be parsed leaves links as they are
	z := html.NewTokenizer(strings.NewReader(page))
	z.SetMaxBuf(1 << 20)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return w.text()
		case html.TextToken:
			w.words(string(z.Text()))
		case html.StartTagToken:
			w.open(z.Token())
		case html.SelfClosingTagToken:
			t := z.Token()
			w.open(t)
			if !void[t.Data] {
				w.close(t.Data)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(string(name))
		}
	}
}

var (
	// skipped are elements whose content nobody reads.
	skipped = map[string]bool{"script": true, "style": true, "noscript": true, "template": true, "svg": true, "iframe": true, "select": true, "head": true}
	void    = map[string]bool{"br": true, "hr": true, "img": true, "input": true, "link": true, "meta": true}
	blocks  = map[string]bool{"p": true, "div": true, "section": true, "article": true, "main": true, "header": true, "footer": true, "nav": true,
		"aside": true, "ul": true, "ol": true, "table": true, "figure": true, "dl": true, "form": true, "address": true, "body": true}
	marks = map[string]string{"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`"}
)

type writer struct {
	out   strings.Builder
	base  *url.URL
	title strings.Builder

	skip    int // depth of elements that are left out
	inTitle bool
	pre     int
	gap     int      // line ends that are owed before the next text
	space   bool     // so is a space
	begun   bool     // the line has a mark and nothing else
	prefix  string   // of each line: quotes
	lists   []string // open lists: "-" or "1."
	links   []string // targets of open links
}

// words writes text. Space collapses outside of preformatted text.
func (w *writer) words(raw string) {
	text := html.UnescapeString(raw)
	switch {
	case w.inTitle:
		w.title.WriteString(text)
		return
	case w.skip > 0:
		return
	case w.pre > 0:
		w.raw(strings.ReplaceAll(text, "\r", ""))
		return
	}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		w.space = w.space || text != ""
		return
	}
	if strings.TrimLeftFunc(text, unicode.IsSpace) != text {
		w.space = true
	}
	w.raw(strings.Join(fields, " "))
	w.space = strings.TrimRightFunc(text, unicode.IsSpace) != text
}

// raw writes text as it is, after what is owed.
func (w *writer) raw(s string) {
	if w.out.Len() > 0 && w.gap > 0 {
		w.out.WriteString(strings.Repeat("\n"+w.prefix, w.gap))
	} else if w.space && w.out.Len() > 0 {
		w.out.WriteByte(' ')
	}
	w.gap, w.space, w.begun = 0, false, false
	w.out.WriteString(s)
}

// lines owes line ends, unless a line has just been begun with a mark.
func (w *writer) lines(n int) {
	if w.space = false; !w.begun {
		w.gap = max(w.gap, n)
	}
}

// mark begins a line with a mark, after which no line ends are owed.
func (w *writer) mark(s string) {
	w.raw(s)
	w.begun = true
}

func (w *writer) open(t html.Token) {
	if t.Data == "title" {
		w.inTitle = true
		return
	}
	if skipped[t.Data] {
		w.skip++
	}
	if w.skip > 0 {
		return
	}
	switch name := t.Data; {
	case len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6':
		w.lines(2)
		w.raw(strings.Repeat("#", int(name[1]-'0')) + " ")
	case name == "br":
		w.lines(1)
	case name == "hr":
		w.lines(2)
		w.raw("---")
		w.lines(2)
	case name == "pre":
		w.lines(2)
		w.raw("```\n")
		w.pre++
	case name == "blockquote":
		w.lines(2)
		w.mark("> ")
		w.prefix += "> "
	case name == "ul" || name == "ol":
		mark := "-"
		if name == "ol" {
			mark = "1."
		}
		w.lines(1)
		w.lists = append(w.lists, mark)
	case name == "li":
		w.begun = false
		mark, depth := "-", 0
		if n := len(w.lists); n > 0 {
			mark, depth = w.lists[n-1], n-1
		}
		w.lines(1)
		w.mark(strings.Repeat("  ", min(depth, 8)) + mark + " ")
	case name == "tr" || name == "dt":
		w.lines(1)
	case name == "td" || name == "th":
		if w.gap == 0 {
			w.raw(" | ")
		}
	case name == "dd":
		w.lines(1)
		w.raw(": ")
	case name == "a":
		w.links = append(w.links, w.resolve(attr(t, "href")))
		if w.links[len(w.links)-1] != "" {
			w.raw("[")
		}
	case name == "img":
		if alt := strings.Join(strings.Fields(attr(t, "alt")), " "); alt != "" {
			w.raw("![" + alt + "](" + w.resolve(attr(t, "src")) + ")")
		}
	case marks[name] != "" && w.pre == 0:
		w.raw(marks[name])
	case blocks[name]:
		w.lines(2)
	}
}

func (w *writer) close(name string) {
	if name == "title" {
		w.inTitle = false
		return
	}
	if skipped[name] && w.skip > 0 {
		w.skip--
		return
	}
	if w.skip > 0 {
		return
	}
	switch {
	case name == "pre" && w.pre > 0:
		w.pre--
		if !strings.HasSuffix(w.out.String(), "\n") {
			w.out.WriteByte('\n')
		}
		w.out.WriteString("```")
		w.lines(2)
	case name == "blockquote":
		w.prefix = strings.TrimSuffix(w.prefix, "> ")
		w.lines(2)
	case name == "ul" || name == "ol":
		if n := len(w.lists); n > 0 {
			w.lists = w.lists[:n-1]
		}
		if len(w.lists) == 0 {
			w.lines(2)
		}
	case name == "a":
		if n := len(w.links); n > 0 {
			if target := w.links[n-1]; target != "" {
				w.out.WriteString("](" + target + ")")
			}
			w.links = w.links[:n-1]
		}
	case marks[name] != "" && w.pre == 0:
		w.out.WriteString(marks[name])
	case name == "tr" || name == "li" || name == "dd" || name == "dt":
		w.lines(1)
	case blocks[name] || len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6':
		w.lines(2)
	}
}

// resolve makes a link absolute. Those that lead nowhere else are left out.
func (w *writer) resolve(ref string) string {
	ref = strings.TrimSpace(ref)
	u, err := url.Parse(ref)
	if err != nil || ref == "" || strings.HasPrefix(ref, "#") || u.Scheme == "javascript" || u.Scheme == "data" {
		return ""
	}
	if w.base != nil {
		u = w.base.ResolveReference(u)
	}
	return u.String()
}

func attr(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is the page with its title, without empty links and lines at its ends.
func (w *writer) text() string {
	body := strings.TrimSpace(strings.ReplaceAll(w.out.String(), "[]", ""))
	title := strings.Join(strings.Fields(w.title.String()), " ")
	if title != "" && !strings.HasPrefix(body, "# ") {
		body = "# " + title + "\n\n" + body
	}
	return strings.TrimSpace(body) + "\n"
}
