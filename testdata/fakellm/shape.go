package fakellm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shape says which fields the objects of a request may have, separated by spaces, by where they are: "" is the request,
// "messages[].source" the field source of each of its messages. Those with a field type may be listed for each type,
// "messages[]:image". What is in an object that is not listed is not looked at.
type Shape map[string]string

// Extra names the first field of a request that has no place in it; "" is none.
func (s Shape) Extra(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "" // not JSON is another complaint
	}
	return s.extra("", "", v)
}

// extra looks at a value: path is where it is in the shape, at where it is in the request.
func (s Shape) extra(path, at string, v any) string {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if name := s.extra(path+"[]", fmt.Sprintf("%s[%d]", at, i), e); name != "" {
				return name
			}
		}
	case map[string]any:
		kind, _ := v["type"].(string)
		allowed, ok := s[path+":"+kind]
		if !ok {
			if allowed, ok = s[path]; !ok {
				return ""
			}
		}
		names := strings.Fields(allowed)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			where := strings.TrimPrefix(at+"."+name, ".")
			if !slices.Contains(names, name) {
				return where
			}
			if extra := s.extra(strings.TrimPrefix(path+"."+name, "."), where, v[name]); extra != "" {
				return extra
			}
		}
	}
	return ""
}
