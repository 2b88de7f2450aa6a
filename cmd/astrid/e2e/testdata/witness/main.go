// Capsule witness watches the agent by the hooks that hook-bridge makes, changes what it sees, and keeps accounts with users.
package main

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/unicity-astrid/astrid-go/sdk"
	"github.com/unicity-astrid/astrid-go/sdk/ipc"
)

var (
	_ = sdk.Tool("whois", "Says who has an account, which is made when it is new.", whois, sdk.Mutable())
	_ = sdk.Interceptor("before", before)
	_ = sdk.Interceptor("after", after)
	_ = sdk.Interceptor("sending", sending)
)

func main() {}

type answer struct {
	Found bool   `json:"found"`
	Error string `json:"error"`
	User  struct {
		ID   string `json:"user-id"`
		Name string `json:"display-name"`
	} `json:"user"`
}

func ask(verb string, fields map[string]any) (answer, error) {
	fields["source"] = map[string]string{"uplink": "witness"}
	m, err := ipc.Request("users.v1."+verb+".request", fields, "users.v1."+verb+".response", 10*time.Second)
	if err != nil {
		return answer{}, err
	}
	a, err := ipc.Decode[answer](m)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	return a, err
}

func whois(_ *sdk.Context, args struct {
	Account string `json:"account"`
}) (string, error) {
	account := map[string]any{"platform": "chat", "platform-user-id": args.Account}
	known, err := ask("resolve", account)
	if err != nil || known.Found {
		return "known " + known.User.Name, err
	}
	made, err := ask("create", map[string]any{"display-name": "person of " + args.Account})
	if err != nil {
		return "", err
	}
	account["user-id"] = made.User.ID
	_, err = ask("link", account)
	return "new " + made.User.Name, err
}

func before(_ *sdk.Context, raw []byte) (sdk.Verdict, error) {
	switch call := string(raw); {
	case strings.Contains(call, "forbidden.txt"):
		return sdk.Reply(map[string]any{"skip": true, "reason": "not today"}), nil
	case strings.Contains(call, "a.txt"):
		return sdk.Reply(map[string]any{"modified_params": map[string]string{"file_path": "b.txt"}}), nil
	}
	return sdk.Continue(), nil
}

func after(_ *sdk.Context, raw []byte) (sdk.Verdict, error) {
	var r struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(raw, &r); err != nil || !strings.Contains(r.Content, "password") {
		return sdk.Continue(), err
	}
	return sdk.Reply(map[string]any{"modified_result": "[hidden]"}), nil
}

func sending(_ *sdk.Context, raw []byte) (sdk.Verdict, error) {
	var r struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &r); err != nil || !strings.Contains(r.Text, "mark-coffee") {
		return sdk.Continue(), err
	}
	return sdk.Reply(map[string]any{"modified_content": "tea, if you please"}), nil
}
