package tokenizer

// cased is the pattern of GPT-4o's o200k and its descendants, which cut a word where its case changes from lower to upper:
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
//	\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Kimi K2's begins with [\p{Han}]+ and takes Han characters out of the four classes of letters.
type cased struct {
	contractions bool
	digits       int
	tail         string
	han          bool
}

func (p cased) scan(c *classes, s string) (int, bool) {
	k, n := c.at(s, 0)
	if p.han && k&han != 0 {
		return c.run(s, n, han, 0), true
	}
	if end := p.word(c, s, k, n); end > 0 {
		if p.contractions {
			end += contraction(s[end:])
		}
		return end, true
	}
	if k&number != 0 {
		return few(c, s, p.digits), true
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if end := c.until(s, i, space|letter|number); end > i {
		return tail(s, end, p.tail), true
	}
	return blank(c, s)
}

// word returns the end of a word at s, whose first character has class k and length n, or 0. The order of the four attempts is that of
// the regular expression: its first alternative with and without the leading character, then its second.
func (p cased) word(c *classes, s string, k class, n int) int {
	var small, big int
	lead := k&(letter|number) == 0 && !isBreak(s[0])
	if lead {
		if small, big = p.cases(c, s, n); small > 0 {
			return small
		}
	}
	if k&(letter|mark) != 0 {
		small, whole := p.cases(c, s, 0)
		if small > 0 {
			return small
		}
		if big == 0 {
			big = whole
		}
	}
	return big
}

// cases matches at s[i:] upper*lower+ and upper+lower*, where a caseless letter or mark is both, and returns their ends, or 0. The first
// takes all it can as upper and then needs one lower: the lower-case letter that follows or else the last caseless one it passed.
func (p cased) cases(c *classes, s string, i int) (small, big int) {
	var out class
	if p.han {
		out = han
	}
	j := i
	for j < len(s) {
		k, n := c.at(s, j)
		if k&(upper|caseless|mark) == 0 || k&out != 0 {
			break
		}
		j += n
		if k&(caseless|mark) != 0 {
			small = j
		}
	}
	if end := c.run(s, j, lower|caseless|mark, out); end > j {
		small = end
	}
	if j > i {
		big = j
	}
	return small, big
}
