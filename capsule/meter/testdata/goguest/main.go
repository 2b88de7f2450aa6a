// Command goguest is the Go guest of the tests: a JSON round trip as a capsule
// does on each call, and loops that never end.
package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"sort"
	"strings"
)

type message struct {
	ID      int               `json:"id"`
	Topic   string            `json:"topic"`
	Tags    []string          `json:"tags"`
	Headers map[string]string `json:"headers"`
	Parts   []part            `json:"parts"`
}

type part struct {
	Kind  string  `json:"kind"`
	Text  string  `json:"text"`
	Score float64 `json:"score"`
}

func sample(i int) message {
	m := message{ID: i, Topic: "agent.v1.request", Headers: map[string]string{}}
	for k := range 8 {
		m.Tags = append(m.Tags, fmt.Sprintf("tag-%d", (i*7+k*13)%101))
		m.Headers[fmt.Sprintf("x-header-%d", k)] = strings.Repeat("v", k)
		m.Parts = append(m.Parts, part{Kind: "text", Text: strings.Repeat("lorem ipsum ", k+1), Score: float64(i*k) / 3})
	}
	return m
}

// roundtrip encodes and decodes n messages and returns a hash of what came out.
//
//go:wasmexport roundtrip
func roundtrip(n int32) int64 {
	h := fnv.New64a()
	for i := range int(n) {
		raw, err := json.Marshal(sample(i))
		if err != nil {
			panic(err)
		}
		var m message
		if err := json.Unmarshal(raw, &m); err != nil {
			panic(err)
		}
		sort.Strings(m.Tags)
		fmt.Fprint(h, m.Tags, len(m.Headers), m.Parts[len(m.Parts)-1].Score)
	}
	return int64(h.Sum64())
}

//go:wasmexport spin
func spin() {
	for {
	}
}

//go:wasmexport fail
func fail() { panic("on purpose") }

func main() {}
