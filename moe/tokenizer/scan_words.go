package tokenizer

// words is the pattern of GPT-4's cl100k and its descendants:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// The fields say where they differ.
type words struct {
	digits int    // longest group of numbers
	with   class  // counts as a letter too: mark in Qwen3.5
	tail   string // what may trail punctuation: line breaks
}

func (p words) scan(c *classes, s string) (int, bool) {
	if n := contraction(s); n > 0 {
		return n, true
	}
	letters := letter | p.with
	k, n := c.at(s, 0)
	if k&letters != 0 {
		return c.run(s, n, letters, 0), true
	}
	if k&number != 0 {
		return few(c, s, p.digits), true
	}
	if n < len(s) && !isBreak(s[0]) {
		if k, _ := c.at(s, n); k&letters != 0 {
			return c.run(s, n, letters, 0), true
		}
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if end := c.until(s, i, space|letters|number); end > i {
		return tail(s, end, p.tail), true
	}
	return blank(c, s)
}
