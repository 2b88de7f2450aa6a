package approval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// deceptive returns the offsets of characters that could make a reader see another text than the one that is
// there, although each is printable by itself:
//
//   - characters without a shape of their own (fillers, variation selectors, the blank of Braille), and more than
//     two marks on one letter;
//   - full stops, slashes, colons, hyphens and letters that look like those of ASCII (full width, mathematical);
//   - Cyrillic, Greek and similar letters in one word with Latin ones, or in a word that could be a Latin one;
//   - letters written from right to left, if the order of other parts depends on them.
//
// Everything else, a name in Russian or one in Hebrew say, is left to be read.
func deceptive(s string) map[int]bool {
	if isASCII(s) {
		return nil
	}
	hide := map[int]bool{}
	marks := 0
	for i, r := range s {
		marks++
		if !unicode.Is(unicode.Mn, r) {
			marks = 0
		}
		if shapeless(r) || marks > 2 || poses(r) {
			hide[i] = true
		}
	}
	hideForeignLetters(s, hide)
	if reorders(s) {
		for i, r := range s {
			if rightToLeft(r) {
				hide[i] = true
			}
		}
	}
	return hide
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// shapeless characters are printable by their category and leave no ink.
func shapeless(r rune) bool {
	return r == '\u2800' || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// poses: the character is a twin of an ASCII one.
func poses(r rune) bool {
	switch {
	case 0xff01 <= r && r <= 0xff5e, 0x1d400 <= r && r <= 0x1d7ff, 0x2460 <= r && r <= 0x24ff:
		return true
	}
	return strings.ContainsRune("\u2024\u2025\u2026\u3002\uff61\ufe52\u2044\u2215\u29f8\u2571\u2236\ua789\ufe55\u2010\u2011\u2212\u2043\ua78c\u02b9\u037e\u2223\u01c0\u01c3", r)
}

// foreign are the scripts with letters that look like Latin ones.
var foreign = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu}

// twins are the letters of these scripts that cannot be told from a Latin one.
const twins = "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u04cf\u0501\u051b\u051d\u0475" + // а е о р с у х ѕ і ј һ ӏ ԁ ԛ ԝ ѵ
	"\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425\u0423\u0405\u0406\u0408" + // А В Е К М Н О Р С Т Х У Ѕ І Ј
	"\u03bf\u03bd\u03b9\u03c1\u03ba\u03b1\u03c5\u03f3" + // ο ν ι ρ κ α υ ϳ
	"\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7" + // Α Β Ε Ζ Η Ι Κ Μ Ν Ο Ρ Τ Υ Χ
	"\u0585\u0578\u057d\u0570\u0581" // օ ո ս հ ց

// hideForeignLetters marks them word by word.
func hideForeignLetters(s string, hide map[int]bool) {
	var at []int // the foreign letters of this word
	latin, alike := false, true
	end := func() {
		if latin || alike {
			for _, i := range at {
				hide[i] = true
			}
		}
		at, latin, alike = at[:0], false, true
	}
	for i, r := range s {
		switch {
		case unicode.In(r, foreign...):
			at = append(at, i)
			alike = alike && (strings.ContainsRune(twins, r) || unicode.In(r, unicode.Cherokee, unicode.Lisu))
		case unicode.Is(unicode.Latin, r):
			latin = true
		case !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r):
			end()
		}
	}
	end()
}

// rightToLeft: Hebrew, Arabic and all the other scripts that run this way; Go has no table of directions.
func rightToLeft(r rune) bool {
	return 0x590 <= r && r <= 0x8ff || 0xfb1d <= r && r <= 0xfdff || 0xfe70 <= r && r <= 0xfefc ||
		0x10800 <= r && r <= 0x10fff || 0x1e800 <= r && r <= 0x1efff
}

// reorders: parts of the text would be shown in another order than they have. One word from right to left moves
// nothing but itself; two of them swap what is between, and digits go along.
func reorders(s string) bool {
	words, inside, after := 0, false, false
	for _, r := range s {
		switch {
		case rightToLeft(r):
			if !inside {
				words++
			}
			inside, after = true, true
			continue
		case unicode.IsDigit(r):
			if after {
				return true
			}
		case unicode.IsLetter(r):
			after = false
		}
		inside = false
	}
	return words > 1
}
