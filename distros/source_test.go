package distros_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is what a capsule's code says about itself. Topics whose last part is only known
// when the capsule runs have "*" for it.
type source struct {
	published []string // on the bus
	asked     []string // hooks that it triggers
	awaited   []string // subscriptions of its own
	actions   []string // handlers that it registers
	tools     []string
	settings  []string // text given to a function that reads one
	imports   map[string]bool
	calls     map[string]bool // functions of the sdk, as "package.Name"
}

// computed are topics that the code does not spell out, by how it writes them.
var computed = map[string]string{
	"t.model.RequestTopic": "llm.v1.request.generate.*", // the active model's, checked for this prefix
	"r.RequestTopic":       "llm.v1.request.generate.*", // the same, handed on by the agent loop
	"r.StreamTopic":        "llm.v1.stream.*",
	"hook":                 "*", // the hook bridge's, whose names are for others
}

// readers are functions that read the setting their first argument names.
var readers = []string{"env.Get", "env.Lookup", "env.Or", "setting", "number"}

// reader collects a [source].
type reader struct {
	t      *testing.T
	consts map[string]string // "abi.TopicX" of the contract, and the capsule's own
	src    source
	local  map[string]string // variables of the function being read
}

// read parses a capsule's code without its tests.
func read(t *testing.T, dir string) source {
	t.Helper()
	r := &reader{t: t, consts: map[string]string{}, src: source{imports: map[string]bool{}, calls: map[string]bool{}}}
	for _, f := range parse(t, "../abi") {
		r.constants(f, "abi.")
	}
	files := parse(t, dir)
	for _, f := range files {
		ast.Inspect(f, r.providerID)
		for path := range r.imports(f) {
			if shared, ok := strings.CutPrefix(path, astralis); ok { // its code acts for the capsule
				files = append(files, parse(t, "astralis/"+shared)...)
			}
		}
	}
	for _, f := range files {
		r.constants(f, "")
		for path := range r.imports(f) {
			r.src.imports[path] = true
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			r.local = map[string]string{}
			ast.Inspect(d, r.node)
		}
	}
	return r.src
}

// astralis is where packages are that several capsules share.
const astralis = "github.com/unicity-astrid/astrid-go/distros/astralis/"

func (r *reader) imports(f *ast.File) map[string]bool {
	paths := map[string]bool{}
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		paths[path] = true
	}
	return paths
}

// providerID finds what a capsule calls itself, which package provider makes topics of.
func (r *reader) providerID(n ast.Node) bool {
	if lit, ok := n.(*ast.CompositeLit); ok && lit.Type != nil && written(lit.Type) == "provider.Provider" {
		for _, e := range lit.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && written(kv.Key) == "ID" {
				if id, ok := r.text(kv.Value); ok {
					r.consts["p.ID"] = id
				}
			}
		}
	}
	return true
}

func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no code in %s: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

func (r *reader) constants(f *ast.File, prefix string) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			for i, n := range v.Names {
				if i < len(v.Values) {
					if text, ok := r.text(v.Values[i]); ok {
						r.consts[prefix+n.Name] = text
					}
				}
			}
		}
	}
}

// text is the value of a constant expression; what is not constant in it is "*".
func (r *reader) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := r.text(e.X)
		right, ok2 := r.text(e.Y)
		if e.Op != token.ADD || !ok1 && !ok2 {
			return "", false
		}
		if !ok1 {
			left = "*"
		}
		if !ok2 {
			right = "*"
		}
		return left + right, true
	case *ast.Ident:
		if s, ok := r.local[e.Name]; ok {
			return s, true
		}
	}
	s, ok := r.consts[written(e)]
	if !ok {
		s, ok = computed[written(e)]
	}
	return s, ok
}

// written is an expression of names and dots as the code has it.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr: // a type argument
		return written(e.X)
	}
	return "?"
}

func (r *reader) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if name, ok := left.(*ast.Ident); ok && len(n.Lhs) == len(n.Rhs) {
				if s, ok := r.text(n.Rhs[i]); ok {
					r.local[name.Name] = s
				}
			}
		}
	case *ast.CallExpr:
		r.call(written(n.Fun), n.Args)
	}
	return true
}

func (r *reader) call(fn string, args []ast.Expr) {
	r.src.calls[fn] = true
	into := map[string]*[]string{
		"ipc.Publish": &r.src.published, "ipc.PublishTagged": &r.src.published, "ipc.Request": &r.src.published,
		"hooks.Trigger": &r.src.asked, "hooks.Collect": &r.src.asked,
		"ipc.Subscribe": &r.src.awaited,
		"sdk.On":        &r.src.actions, "sdk.Interceptor": &r.src.actions,
		"sdk.Tool": &r.src.tools,
	}[fn]
	switch {
	case into != nil:
		r.add(into, fn, args[0])
		if fn == "ipc.Request" {
			r.add(&r.src.awaited, fn, args[2])
		}
	case slices.Contains(readers, fn):
		if s, ok := r.text(args[0]); ok {
			r.src.settings = append(r.src.settings, s)
		}
	}
}

func (r *reader) add(list *[]string, fn string, arg ast.Expr) {
	s, ok := r.text(arg)
	if !ok {
		r.t.Errorf("%s(%s, …) is given something that is not known from the code: list it in computed", fn, written(arg))
		return
	}
	*list = append(*list, s)
}
