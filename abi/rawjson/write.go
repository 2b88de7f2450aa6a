package rawjson

import "bytes"

// With returns an object with one more field at its end. object must be one.
func With(object []byte, name string, value []byte) []byte {
	end := len(object) - 1
	for end > 0 && object[end] != '}' {
		end--
	}
	out := append(make([]byte, 0, end+len(name)+len(value)+8), object[:end]...)
	if at := blank(object, 1); at < end {
		out = append(out, ',')
	}
	out = append(AppendText(out, name), ':')
	return append(append(out, value...), '}')
}

// List makes an array of values.
func List(values [][]byte) []byte {
	return append(append([]byte{'['}, bytes.Join(values, []byte{','})...), ']')
}
