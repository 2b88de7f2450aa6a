// Package stricttoml reads TOML configuration so that nothing in it is ignored.
//
// Every key must be known, spelled exactly and hold the right type. Each complaint names the file, the
// line and the key, and an unknown key is answered with the nearest known one. All complaints of a file
// are reported at once, in line order. The syntax itself is parsed by BurntSushi/toml; that library
// matches keys without regard to case and keeps one position for all elements of an array of tables,
// which is why the mapping to Go values and the line index are done here.
package stricttoml
