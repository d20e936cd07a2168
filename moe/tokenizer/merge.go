package tokenizer

// piece is a part of a word: the token that spells it, or -1, and where it begins and ends in the word.
type piece struct {
	id         int32
	start, end int32
}

// shortWord is the number of pieces up to which scanning for the best pair beats a heap: BenchmarkMerge on amd64 has the scan at 0.6 of
// the heap's time for 8 pieces, 0.9 for 16 and 1.5 for 32.
const shortWord = 20

// mergeShort merges the pieces of a short word in place and returns what is left.
func mergeShort(r rule, word string, s []piece) []piece {
	var next [shortWord]uint64 // next[i] is the merge of s[i] and s[i+1]
	for i := range len(s) - 1 {
		next[i] = r.merge(word, s[i], s[i+1])
	}
	for n := len(s); ; {
		best, at := uint64(never), 0
		for i, m := range next[:max(n-1, 0)] {
			if m>>32 < best>>32 {
				best, at = m, i
			}
		}
		if best == never {
			return s[:n]
		}
		s[at] = piece{int32(uint32(best)), s[at].start, s[at+1].end}
		copy(s[at+1:n], s[at+2:n])
		copy(next[at:n-1], next[at+1:n-1])
		n--
		if at > 0 {
			next[at-1] = r.merge(word, s[at-1], s[at])
		}
		if at < n-1 {
			next[at] = r.merge(word, s[at], s[at+1])
		}
	}
}

// long merges words of any length in time n log n: a linked list of pieces and a heap of the merges found so far. A merge in the heap
// is stale once one of its sides has changed, which its end shows: sides only grow.
type long struct {
	list []node
	heap []candidate
}

type node struct {
	piece
	prev, next int32 // index in list, or -1
}

type candidate struct {
	key uint64 // rank<<32 | index of the left piece
	id  int32  // merged token
	end int32  // end of the right piece
}

// merge merges the pieces of a word and returns what is left, in s.
func (l *long) merge(r rule, word string, s []piece) []piece {
	l.list, l.heap = l.list[:0], l.heap[:0]
	for i, sym := range s {
		l.list = append(l.list, node{sym, int32(i) - 1, int32(i) + 1})
	}
	l.list[len(s)-1].next = -1
	for i := range len(s) - 1 {
		l.push(r, word, int32(i), false)
	}
	for i := len(l.heap)/2 - 1; i >= 0; i-- {
		l.down(i)
	}
	for len(l.heap) > 0 {
		c := l.pop()
		i := int32(uint32(c.key))
		a := &l.list[i]
		if a.id == dead || a.next < 0 || l.list[a.next].end != c.end {
			continue
		}
		b := &l.list[a.next]
		a.id, a.end, a.next = c.id, b.end, b.next
		b.id = dead
		if a.next >= 0 {
			l.list[a.next].prev = i
			l.push(r, word, i, true)
		}
		if a.prev >= 0 {
			l.push(r, word, a.prev, true)
		}
	}
	s = s[:0]
	for i := int32(0); i >= 0; i = l.list[i].next {
		s = append(s, l.list[i].piece)
	}
	return s
}

// dead is the id of a piece that its left neighbour has taken in.
const dead = -2

// push enters the merge of list[i] and its right neighbour, if there is one; up restores the heap.
func (l *long) push(r rule, word string, i int32, up bool) {
	a := &l.list[i]
	b := &l.list[a.next]
	m := r.merge(word, a.piece, b.piece)
	if m == never {
		return
	}
	c := candidate{m>>32<<32 | uint64(uint32(i)), int32(uint32(m)), b.end}
	l.heap = append(l.heap, c)
	if !up {
		return
	}
	j := len(l.heap) - 1
	for j > 0 {
		p := (j - 1) / 2
		if l.heap[p].key <= c.key {
			break
		}
		l.heap[j] = l.heap[p]
		j = p
	}
	l.heap[j] = c
}

func (l *long) pop() candidate {
	top := l.heap[0]
	last := len(l.heap) - 1
	l.heap[0] = l.heap[last]
	l.heap = l.heap[:last]
	if last > 0 {
		l.down(0)
	}
	return top
}

func (l *long) down(i int) {
	c := l.heap[i]
	for {
		j := 2*i + 1
		if j >= len(l.heap) {
			break
		}
		if j+1 < len(l.heap) && l.heap[j+1].key < l.heap[j].key {
			j++
		}
		if c.key <= l.heap[j].key {
			break
		}
		l.heap[i] = l.heap[j]
		i = j
	}
	l.heap[i] = c
}
