package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/unicity-astrid/astrid-go/sdk/sdktest"
)

func ask(t *testing.T, h *sdktest.Host, verb, fields string) map[string]any {
	t.Helper()
	h.Forget()
	h.Call("users_"+strings.ReplaceAll(verb, ".", "_"), json.RawMessage(`{"source":{"uplink":"telegram","correlation-id":"c1"}`+strings.TrimSuffix(","+fields, ",")+`}`))
	all := h.Published("users.v1." + verb + ".response")
	var r map[string]any
	if len(all) != 1 || json.Unmarshal(all[0], &r) != nil || r["correlation-id"] != "c1" {
		t.Fatalf("%s: %s; log %v", verb, all, h.Logs())
	}
	return r
}

func newUser(t *testing.T, h *sdktest.Host, name string) string {
	t.Helper()
	r := ask(t, h, "create", fmt.Sprintf(`"display-name":%q`, name))
	id, _ := r["user"].(map[string]any)["user-id"].(string)
	if len(id) != 36 {
		t.Fatalf("%v", r)
	}
	return id
}

func TestAccounts(t *testing.T) {
	h := sdktest.New(t)
	id := newUser(t, h, "Ida")
	account := `"platform":" Telegram ","platform_user_id":"42"`
	if r := ask(t, h, "resolve", account); r["found"] != false {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "link", account+`,"user-id":"nobody"`); r["error"] != "user not found: nobody" {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "link", account+`,"user-id":"`+id+`","method":"code"`); r["error"] != nil {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "resolve", `"platform":"telegram","platform-user-id":"42"`); r["user"].(map[string]any)["display-name"] != "Ida" {
		t.Errorf("%v", r)
	}
	// Parts of keys cannot be mistaken for each other.
	for _, other := range []string{`"platform":"telegram","instance":"_","platform-user-id":"42"`, `"platform":"telegram","platform-user-id":"4/2"`, `"platform":"telegram/_","platform-user-id":"42"`} {
		if r := ask(t, h, "resolve", other); r["found"] != false {
			t.Errorf("%s: %v", other, r)
		}
	}
	if r := ask(t, h, "links", `"user-id":"`+id+`"`); len(r["links"].([]any)) != 1 {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "unlink", account); r["removed"] != true {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "unlink", account); r["error"] != "link not found" {
		t.Errorf("%v", r)
	}
}

func TestUsers(t *testing.T) {
	h := sdktest.New(t)
	id := newUser(t, h, "Ida")
	for range 4 {
		newUser(t, h, "other")
	}
	ask(t, h, "set_display_name", `"user-id":"`+id+`","display-name":" Ada "`)
	ask(t, h, "set_public_key", `"user-id":"`+id+`","public-key":"k"`)
	if u := ask(t, h, "get", `"user-id":"`+id+`"`)["user"].(map[string]any); u["display-name"] != "Ada" || u["public-key"] != "k" || u["created-at"] == "" {
		t.Errorf("%v", u)
	}
	seen, cursor := 0, ""
	for pages := 0; pages == 0 || cursor != ""; pages++ {
		r := ask(t, h, "list", `"limit":2,"cursor":"`+cursor+`"`)
		seen += len(r["users"].([]any))
		cursor, _ = r["cursor"].(string)
		if pages > 5 {
			t.Fatal("it does not end")
		}
	}
	if seen != 5 {
		t.Errorf("%d users", seen)
	}
	where := `"platform":"telegram","context-id":"room","platform-user-id":"42"`
	ask(t, h, "context.set", where+`,"user-id":"`+id+`"`)
	ask(t, h, "link", `"platform":"telegram","platform-user-id":"42","user-id":"`+id+`"`)
	if r := ask(t, h, "context.get", where); r["context"].(map[string]any)["user-id"] != id {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "context.list_in_context", `"platform":"telegram","context-id":"room"`); len(r["contexts"].([]any)) != 1 {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "context.list_in_context", `"platform":"telegram","context-id":"roo"`); len(r["contexts"].([]any)) != 0 {
		t.Errorf("%v", r)
	}
	if r := ask(t, h, "context.list_for_user", `"user-id":"`+id+`"`); len(r["contexts"].([]any)) != 1 {
		t.Errorf("%v", r)
	}
	ask(t, h, "delete", `"user-id":"`+id+`"`)
	for _, prefix := range []string{"link/", "context/", "user/" + id} {
		if keys := h.Keys(prefix); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	}
	if r := ask(t, h, "context.clear", where); r["error"] != "context not found" {
		t.Errorf("%v", r)
	}
}

func TestBadRequests(t *testing.T) {
	h := sdktest.New(t)
	for verb, fields := range map[string]string{
		"resolve": `"platform":""`, "get": ``, "create": `"display-name":"` + strings.Repeat("x", 300) + `"`, "context.set": `"platform":"a"`, "set_display_name": `"user-id":7`,
	} {
		if r := ask(t, h, verb, fields); !strings.HasPrefix(fmt.Sprint(r["error"]), "invalid input: ") && verb != "set_display_name" {
			t.Errorf("%s: %v", verb, r)
		}
	}
	h.Forget()
	h.Call("users_get", json.RawMessage(`{"user-id":"x"}`))
	h.Call("users_get", json.RawMessage(`[1]`))
	for _, raw := range h.Published("users.v1.get.response") {
		if !strings.Contains(string(raw), "invalid input") {
			t.Errorf("%s", raw)
		}
	}
}
