package provider

import (
	"strconv"
	"strings"

	"github.com/unicity-astrid/astrid-go/abi"
	"github.com/unicity-astrid/astrid-go/sdk/env"
)

// Endpoint is an address of the API. The setting comes without /v1, but many people give
// it with it. path begins with /v1.
func Endpoint(path string) string {
	base := strings.TrimRight(strings.TrimSpace(env.Get("base_url")), "/")
	return strings.TrimSuffix(base, "/v1") + path
}

// Key is the API key, or empty.
func Key() string { return strings.TrimSpace(env.Get("api_key")) }

func (p *Provider) readKey() (string, error) {
	key := Key()
	if key == "" && p.NeedsKey {
		return "", Fail(abi.LlmConfig, "%s: no API key is set: store one with `astrid secret set %s api_key`", p.Name, p.ID)
	}
	return key, nil
}

func (p *Provider) capsule() string { return "astrid-capsule-" + p.ID }

// Temperature is the setting of that name, or nil if it is empty.
func Temperature() (*float64, error) {
	t := strings.TrimSpace(env.Get("temperature"))
	if t == "" {
		return nil, nil
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return nil, Fail(abi.LlmConfig, "temperature %q is not a number", t)
	}
	return &f, nil
}

// number is a setting that is a whole number; empty is 0.
func number(key string) (uint64, error) {
	t := strings.TrimSpace(env.Get(key))
	if t == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(t, 10, 64)
	if err != nil {
		return 0, Fail(abi.LlmConfig, "%s %q is not a whole number", key, t)
	}
	return n, nil
}
