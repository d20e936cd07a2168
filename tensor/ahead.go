package tensor

import "github.com/coterie-go/coterie/internal/par"

// Ahead is what loops to come will read, in their order: what a job that implements
// [par.Ahead] has to tell. The zero value is empty; it is reused so that a step
// allocates nothing.
type Ahead struct {
	Workers int // that share each loop
	loops   []aheadLoop
	list    []*Linear
}

// aheadLoop is one loop over list[from:to]: over their rows, as in [Products], or
// over themselves.
type aheadLoop struct {
	from, to int
	whole    bool
}

// aheadLoopBytes is how much a worker asks for of each loop to come.
const aheadLoopBytes = 256 << 10

// Reset empties it.
func (a *Ahead) Reset() { a.loops, a.list = a.loops[:0], a.list[:0] }

// Add appends a loop over the rows of some matrices, as [Products] has them; nil is
// left out.
func (a *Ahead) Add(ls ...*Linear) {
	from := len(a.list)
	for _, l := range ls {
		if l != nil {
			a.list = append(a.list, l)
		}
	}
	a.loops = append(a.loops, aheadLoop{from, len(a.list), false})
}

// AddEach appends a loop with a task for each matrix.
func (a *Ahead) AddEach(ls []Linear) {
	from := len(a.list)
	for i := range ls {
		a.list = append(a.list, &ls[i])
	}
	a.loops = append(a.loops, aheadLoop{from, len(a.list), true})
}

// Ahead appends what the worker's share of each loop begins with; of nil, nothing.
func (a *Ahead) Ahead(dst [][]byte, worker int) [][]byte {
	if a == nil {
		return dst
	}
	room := par.AheadBytes
	for _, loop := range a.loops {
		list, left := a.list[loop.from:loop.to], min(room, aheadLoopBytes)
		total, tasks := 0, 0
		for _, l := range list {
			total += l.Out()
		}
		rows := taskRows(total, a.Workers)
		count := func(l *Linear) int { // tasks
			if loop.whole {
				return 1
			}
			return (l.Out() + rows - 1) / rows
		}
		for _, l := range list {
			tasks += count(l)
		}
		skip := par.First(tasks, worker, a.Workers)
		for _, l := range list {
			n := count(l)
			if skip >= n {
				skip -= n
				continue
			}
			b := l.Data
			if !loop.whole {
				b = l.From(skip * rows)
			}
			b = b[:min(len(b), left)]
			dst, left, room, skip = append(dst, b), left-len(b), room-len(b), 0
			if left == 0 {
				break
			}
		}
	}
	return dst
}
