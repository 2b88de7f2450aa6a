package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Options says where to look. The zero value reads the machine's file and the environment.
type Options struct {
	SystemFile    string // "" is SystemFile
	UserFile      string // home.Home.ConfigFile(); "" is none
	WorkspaceRoot string // the project's folder; "" is none
	// LookupEnv is os.LookupEnv if nil.
	LookupEnv func(string) (string, bool)
	// Flags are settings from the command line, strongest last.
	Flags []Setting
}

// Setting is one key set by a flag.
type Setting struct {
	Key   string // dotted, as in the files
	Value string // as a string in an environment variable would be
	Flag  string // its name as the user typed it, for messages: "--mode"
}

// Files returns the files that Load would look for, lowest precedence first, and whether they are there.
func (o Options) Files() []File {
	var files []File
	add := func(l Layer, path string) {
		_, err := os.Stat(path)
		files = append(files, File{Layer: l, Path: path, Found: err == nil})
	}
	add(System, o.systemFile())
	if o.UserFile != "" {
		add(User, o.UserFile)
	}
	if o.WorkspaceRoot != "" {
		add(Workspaces, o.workspaceFile())
	}
	return files
}

func (o Options) systemFile() string {
	if o.SystemFile == "" {
		return SystemFile
	}
	return o.SystemFile
}

func (o Options) workspaceFile() string {
	return filepath.Join(o.WorkspaceRoot, ".astrid", "config.toml")
}

// Load reads all layers. Its error joins everything that is wrong in the first layer that has something wrong, each an
// *Error.
func Load(o Options) (*Config, error) {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	c := &Config{values: defaults()}
	for _, f := range o.Files() {
		if err := c.loadFile(o, f); err != nil {
			return nil, err
		}
	}
	c.noticeOldFile(o)
	if err := c.loadEnv(o); err != nil {
		return nil, err
	}
	if err := c.loadFlags(o); err != nil {
		return nil, err
	}
	if errs := c.checkWhole(); len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.fill()
	return c, nil
}

func (c *Config) loadFile(o Options, f File) error {
	data, err := readFile(f.Layer, f.Path)
	if data == nil || err != nil {
		return err
	}
	c.Files = append(c.Files, File{Layer: f.Layer, Path: f.Path, Found: true})
	vals, errs := parse(f.Layer, f.Path, data, c.expander(o, f.Layer))
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, k := range keys {
		v, ok := vals[k.path]
		if !ok {
			continue
		}
		if f.Layer != Workspaces {
			c.values[k.path] = overlay(&k, c.values[k.path], v)
			continue
		}
		c.tighten(&k, v)
	}
	return nil
}

// tighten applies one key of a project's file.
func (c *Config) tighten(k *key, v value) {
	if k.tighten == nil {
		c.notice(v.origin, k.path, "has no effect: a workspace cannot set it")
		return
	}
	base := c.values[k.path]
	merged, refused := k.tighten(base, v)
	c.values[k.path] = merged
	if refused != "" {
		c.notice(v.origin, k.path, fmt.Sprintf("has no effect: a workspace may only tighten, and %s (%v)", refused, base.origin))
	}
}

func (c *Config) notice(at Origin, key, msg string) {
	c.Notices = append(c.Notices, Notice{Origin: at, Key: key, Msg: msg})
}

func (c *Config) expander(o Options, layer Layer) func(string, Origin) string {
	return func(s string, at Origin) string {
		lookup := o.LookupEnv
		if layer == Workspaces {
			lookup = func(name string) (string, bool) {
				if !openToProjects(name) {
					return "", false
				}
				return o.LookupEnv(name)
			}
		}
		return expandVars(s, lookup, func(name string) {
			why := "is not set"
			if layer == Workspaces && !openToProjects(name) {
				why = "is not open to a workspace"
			}
			c.notice(at, "", fmt.Sprintf("the variable ${%s} %s and stays as it is", name, why))
		})
	}
}

// noticeOldFile helps those who come from v0.5.0, where the user's file was one level up.
func (c *Config) noticeOldFile(o Options) {
	if o.UserFile == "" {
		return
	}
	old := filepath.Join(filepath.Dir(filepath.Dir(o.UserFile)), filepath.Base(o.UserFile))
	if old == o.workspaceFile() { // the project is the user's own home directory
		return
	}
	if info, err := os.Stat(old); err == nil && info.Mode().IsRegular() {
		c.notice(Origin{Layer: User, Name: old}, "", "is not read any more: move it to "+o.UserFile)
	}
}

func (c *Config) loadEnv(o Options) error {
	var errs []error
	for _, k := range keys {
		if k.env == "" {
			continue
		}
		if s, ok := o.LookupEnv(k.env); ok && s != "" {
			errs = append(errs, c.set(&k, s, Origin{Layer: Environment, Name: k.env}))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) loadFlags(o Options) error {
	var errs []error
	for _, f := range o.Flags {
		at := Origin{Layer: Flag, Name: f.Flag}
		k := byPath[f.Key]
		if k == nil {
			errs = append(errs, &Error{Origin: at, Key: f.Key, Msg: unknown(f.Key)})
			continue
		}
		errs = append(errs, c.set(k, f.Value, at))
	}
	return errors.Join(errs...)
}

// set takes a value from text.
func (c *Config) set(k *key, s string, at Origin) error {
	v, err := k.read(s, at)
	if err == nil {
		c.values[k.path] = value{v: v, origin: at}
	}
	return err
}

// read turns text into a value. Lists are separated by commas; tables cannot be given this way.
func (k *key) read(s string, at Origin) (any, error) {
	var v any
	var err error
	switch k.kind {
	case text:
		v = s
	case flag:
		v, err = strconv.ParseBool(s)
	case whole:
		v, err = strconv.ParseInt(s, 10, 64)
	case number:
		v, err = strconv.ParseFloat(s, 64)
	case list:
		v = itemsAt(strings.FieldsFunc(s, func(r rune) bool { return r == ',' }), at)
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, &Error{Origin: at, Key: k.path, Msg: fmt.Sprintf("must be %v, not %.40q", k.kind, s), Err: err}
	}
	if k.check != nil {
		if msg := k.check(v); msg != "" {
			return nil, &Error{Origin: at, Key: k.path, Msg: msg}
		}
	}
	return v, nil
}

// Literal checks a value for a key, in the form in which an environment variable would have it,
// and returns it as TOML on one line. at says in errors where it was given.
func Literal(key, value string, at Origin) (string, error) {
	k := byPath[key]
	if k == nil {
		return "", &Error{Origin: at, Key: key, Msg: unknown(key)}
	}
	v, err := k.read(value, at)
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return quote(v), nil
	case float64:
		return float(v), nil
	case []Item:
		quoted := make([]string, len(v))
		for i, it := range v {
			quoted[i] = quote(it.Value)
		}
		return "[" + strings.Join(quoted, ", ") + "]", nil
	}
	return fmt.Sprint(v), nil
}
