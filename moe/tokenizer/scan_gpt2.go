package tokenizer

// gpt2 is GPT-2's pattern:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
type gpt2 struct{}

func (gpt2) scan(c *classes, s string) (int, bool) {
	if n := contraction(s); n > 0 && isLower(s[1:n]) {
		return n, true
	}
	i := 0
	if s[0] == ' ' && len(s) > 1 {
		i = 1
	}
	switch k, _ := c.at(s, i); {
	case k&letter != 0:
		return c.run(s, i, letter, 0), true
	case k&number != 0:
		return c.run(s, i, number, 0), true
	case k&space == 0:
		return c.until(s, i, space|letter|number), true
	}
	// Line breaks are blanks like others here.
	end := c.run(s, 0, space, 0)
	last := end - lastLen(s[:end])
	if end == len(s) || last == 0 {
		return end, true
	}
	return last, true
}

func isLower(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}
