package stricttoml

import "sort"

// Suggest returns the candidate that a writer of word most likely meant, or "" when none is near. Letters
// are compared without regard to case, and '-' and '_' count as the same.
func Suggest(word string, candidates []string) string {
	if len(word) > maxWord {
		return ""
	}
	sorted := append([]string(nil), candidates...)
	sort.Strings(sorted)
	// One error is forgiven in a short word, a third of the letters in a long one.
	limit := max(1, len(word)/3)
	best, bestDistance := "", limit+1
	for _, c := range sorted {
		if d := distance(fold(word), fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// maxWord bounds the work: no key is this long.
const maxWord = 64

func fold(s string) string {
	out := []byte(s)
	for i, c := range out {
		switch {
		case c >= 'A' && c <= 'Z':
			out[i] = c + 'a' - 'A'
		case c == '-':
			out[i] = '_'
		}
	}
	return string(out)
}

// distance is the Damerau-Levenshtein distance (swapped neighbours count once).
func distance(a, b string) int {
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
