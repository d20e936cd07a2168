package par

import "github.com/coterie-go/coterie/kernels"

// Ahead may be implemented by a [Job]: it knows what workers will read once the loop
// is over. Those that have nothing left to do ask for it while they wait for the
// others and for the next loop. In turns within one process, a decode step took 2 to 5 %
// less time like this with 16 workers and 1 to 4 % with 8, on four models; with two, 1 to
// 3 % on one with many small experts and nothing on the others.
type Ahead interface {
	// Ahead appends to dst the bytes that the worker will read first. It is called
	// within the loop; what it returns is only ever asked for, not read.
	Ahead(dst [][]byte, worker int) [][]byte
}

// AheadBytes is how much a worker asks for in all: what a second cache holds beside
// what is in use.
const AheadBytes = 384 << 10

// First is the first of n indices that a worker is given.
func First(n, worker, workers int) int { return worker * n / workers }

// asking is what one worker still has to ask for.
type asking struct {
	list [][]byte
	next int
}

// begin takes what the worker will read after job.
func (q *asking) begin(job Job, worker int) {
	q.list, q.next = q.list[:0], 0
	if a, ok := job.(Ahead); ok {
		q.list = a.Ahead(q.list, worker)
	}
}

// piece is how many bytes are asked for between looks at what else there is to do:
// so few that they are not dropped because too many are on their way.
const piece = 256

// some asks for a piece.
func (q *asking) some() {
	if q.next == len(q.list) {
		return
	}
	b := q.list[q.next]
	n := min(piece, len(b))
	kernels.Prefetch(b[:n])
	if q.list[q.next] = b[n:]; n == len(b) {
		q.next++
	}
}

// end forgets the rest.
func (q *asking) end() {
	clear(q.list[:cap(q.list)])
	q.list, q.next = q.list[:0], 0
}
