package host

import (
	"bytes"
	"os"
	"testing"
)

// archive is a file in the txtar format: a comment, then files that begin with a line
// "-- NAME --".
type archive struct {
	comment []byte
	files   []archiveFile
}

type archiveFile struct {
	name string
	data []byte
}

func readArchive(t *testing.T, path string) *archive {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	a := new(archive)
	for line := range bytes.Lines(b) {
		name, marker := bytes.CutPrefix(bytes.TrimRight(line, "\n"), []byte("-- "))
		if name, ok := bytes.CutSuffix(name, []byte(" --")); marker && ok {
			a.files = append(a.files, archiveFile{name: string(name)})
			continue
		}
		if n := len(a.files); n > 0 {
			a.files[n-1].data = append(a.files[n-1].data, line...)
		} else {
			a.comment = append(a.comment, line...)
		}
	}
	return a
}

func (a *archive) bytes() []byte {
	out := bytes.Clone(a.comment)
	for _, f := range a.files {
		out = append(out, "-- "+f.name+" --\n"...)
		out = append(out, f.data...)
	}
	return out
}
