package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// patient answers at once instead of waiting for updates.
type patient struct{ http.Handler }

func (p patient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var q map[string]any
	if err == nil && json.Unmarshal(body, &q) == nil && q["timeout"] != nil {
		q["timeout"] = 0
		body, _ = json.Marshal(q)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.Handler.ServeHTTP(w, r)
}
