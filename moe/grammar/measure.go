package grammar

import "container/heap"

// into is an edge backwards: from leads to a state at a cost of bytes, and for a
// call also through other, the state behind it or its rule.
type into struct {
	from, other int32 // other is -1 for none
	cost        int32
}

// measure sets least and tail of all states. The first is Knuth's extension of
// Dijkstra's algorithm to grammars (1977): states are settled in the order of their
// distance to the end, each once.
func (g *Grammar) measure() {
	edges := make([][]into, len(g.states))
	add := func(to int32, e into) { edges[to] = append(edges[to], e) }
	var todo distances
	for i := range g.states {
		s, from := &g.states[i], int32(i)
		s.least = never
		if s.end {
			todo = append(todo, distance{0, from})
		}
		for _, e := range s.bytes {
			add(e.to, into{from, -1, 1})
		}
		for _, to := range s.free {
			add(to, into{from, -1, 0})
		}
		for _, c := range s.calls {
			add(c.start, into{from, c.to, 0})
			add(c.to, into{from, c.start, 0})
		}
	}
	for len(todo) > 0 {
		d := heap.Pop(&todo).(distance)
		if g.states[d.state].least < never {
			continue
		}
		g.states[d.state].least = d.least
		for _, e := range edges[d.state] {
			least := d.least + e.cost
			if e.other >= 0 {
				least += g.states[e.other].least
			}
			if least < never && g.states[e.from].least == never {
				heap.Push(&todo, distance{least, e.from})
			}
		}
	}
	g.markTails(edges)
}

// markTails marks the states behind which nothing can come but the rule's end.
func (g *Grammar) markTails(edges [][]into) {
	open := make([]int, len(g.states)) // ways on that are not known to lead to the end only
	var todo []int32
	for i := range g.states {
		s := &g.states[i]
		open[i] = len(s.bytes) + len(s.free) + len(s.calls)
		if s.end && open[i] == 0 {
			todo = append(todo, int32(i))
		}
	}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		g.states[at].tail = true
		for _, e := range edges[at] {
			if e.other >= 0 || e.cost > 0 {
				continue
			}
			if open[e.from]--; open[e.from] == 0 {
				todo = append(todo, e.from)
			}
		}
	}
}

// distance is how far a state is from the end.
type distance struct{ least, state int32 }

// distances is a heap, the nearest first.
type distances []distance

func (d distances) Len() int           { return len(d) }
func (d distances) Less(i, j int) bool { return d[i].least < d[j].least }
func (d distances) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *distances) Push(x any)        { *d = append(*d, x.(distance)) }
func (d *distances) Pop() any {
	old := *d
	x := old[len(old)-1]
	*d = old[:len(old)-1]
	return x
}
