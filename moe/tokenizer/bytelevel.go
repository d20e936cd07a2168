package tokenizer

import "unicode/utf8"

// GPT-2 spells bytes as characters: the printable ones of Latin-1 as themselves, the other 68 as U+0100 and on.

// byteRune returns the character that spells b.
func byteRune(b byte) rune {
	switch {
	case b > 0x20 && b < 0x7f, b > 0xa0 && b != 0xad:
		return rune(b)
	case b <= 0x20:
		return 0x100 + rune(b)
	case b <= 0xa0:
		return 0x121 + rune(b) - 0x7f
	}
	return 0x143 // 0xad
}

// runeByte is the inverse of byteRune.
func runeByte(r rune) (byte, bool) {
	switch {
	case r > 0x20 && r < 0x7f, r > 0xa0 && r <= 0xff && r != 0xad:
		return byte(r), true
	case r >= 0x100 && r <= 0x120:
		return byte(r - 0x100), true
	case r > 0x120 && r < 0x143:
		return byte(r - 0x121 + 0x7f), true
	case r == 0x143:
		return 0xad, true
	}
	return 0, false
}

// fromByteLevel returns the bytes that s spells, or false if s has characters of no byte.
func fromByteLevel(s string) (string, bool) {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] > 0x20 && s[i] < 0x7f
	}
	if plain {
		return s, true
	}
	raw := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := runeByte(r)
		if !ok {
			return "", false
		}
		raw = append(raw, b)
	}
	return string(raw), true
}

// toByteLevel is the inverse of fromByteLevel.
func toByteLevel(raw string) string {
	s := make([]byte, 0, len(raw)*3/2)
	for i := range len(raw) {
		s = utf8.AppendRune(s, byteRune(raw[i]))
	}
	return string(s)
}
