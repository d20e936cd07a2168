package moe

// best moves the greatest candidates to the front, in falling order, until
// enough(how many are there) or all are, and returns how many. They come off a
// heap one by one: of 150,000 a handful is wanted, and sorting them all would take
// as long as some models take for a token.
func best(c []candidate, enough func(n int) bool) int {
	// The heap lies back to front, its root last: what it gives up at its end is
	// where the ranked ones go on.
	for i := len(c)/2 - 1; i >= 0; i-- {
		sink(c, i)
	}
	n := 0
	for n < len(c) && !enough(n) {
		c[n], c[len(c)-1] = c[len(c)-1], c[n]
		n++
		sink(c[n:], 0)
	}
	return n
}

// sink restores the order below node i of the heap c, whose node j is
// c[len(c)-1-j].
func sink(c []candidate, i int) {
	end := len(c) - 1
	for {
		child := 2*i + 1
		if child > end {
			return
		}
		if child < end && before(c[end-child-1], c[end-child]) {
			child++
		}
		if !before(c[end-child], c[end-i]) {
			return
		}
		c[end-i], c[end-child] = c[end-child], c[end-i]
		i = child
	}
}

// before ranks candidates: the greater logit first, then the lower id.
func before(a, b candidate) bool {
	return a.logit > b.logit || a.logit == b.logit && a.id < b.id
}
