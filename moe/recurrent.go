package moe

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// recurrent is what the layers of a sequence that have no keys and values
// remember of it: one block of numbers for all of them (see deltaLayout). A call
// writes a second block and swaps the two when a chunk is complete, so that a
// failed call leaves no trace, and forks and checkpoints can refer to the first.
type recurrent struct {
	now, next []float32 // after the tokens processed (nil before the first); being written
	shared    bool      // others refer to now
	kept      []kept    // ascending
}

// kept is what was remembered at n tokens.
type kept struct {
	n    int
	data []float32
}

// begin makes room for size numbers to be written.
func (r *recurrent) begin(size int) {
	if r.now == nil {
		r.now, r.shared = make([]float32, size), false
	}
	if r.next == nil {
		r.next = make([]float32, size)
	}
}

// commit makes what was written the present.
func (r *recurrent) commit() {
	old := r.now
	r.now, r.next = r.next, old
	if r.shared {
		r.next = nil
	}
	r.shared = false
}

// fork returns what a fork begins with.
func (r *recurrent) fork() recurrent {
	r.shared = true
	return recurrent{now: r.now, shared: true, kept: slices.Clone(r.kept)}
}

// checkpoint keeps the present, at n tokens.
func (r *recurrent) checkpoint(n int) {
	if r.now == nil || (len(r.kept) > 0 && r.kept[len(r.kept)-1].n == n) {
		return
	}
	r.shared = true
	r.kept = append(r.kept, kept{n, r.now})
}

// find returns what was kept at n tokens.
func (r *recurrent) find(n int) (int, bool) {
	return slices.BinarySearchFunc(r.kept, n, func(k kept, n int) int { return k.n - n })
}

// truncate goes back from len tokens to n, which must be 0, len or a checkpoint.
func (r *recurrent) truncate(len, n int) error {
	switch i, ok := r.find(n); {
	case n == len || r.now == nil:
	case n == 0:
		*r = recurrent{}
	case !ok:
		return fmt.Errorf("%w: truncate to %d tokens: a recurrent layer can go back to 0 and to checkpoints only", ErrState, n)
	default:
		r.now, r.shared, r.kept = r.kept[i].data, true, r.kept[:i+1]
	}
	return nil
}

// bytes returns the memory in use, shared blocks included.
func (r *recurrent) bytes() int64 {
	n := len(r.now) + len(r.next)
	for _, k := range r.kept {
		if len(r.now) == 0 || len(k.data) == 0 || &k.data[0] != &r.now[0] {
			n += len(k.data)
		}
	}
	return 4 * int64(n)
}

// appendNumbers appends the count of numbers, then the numbers.
func appendNumbers(b []byte, x []float32) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(len(x)))
	b = slices.Grow(b, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// decodeNumbers reads what appendNumbers wrote, size numbers or none, and returns
// the rest of b.
func decodeNumbers(b []byte, size int) (x []float32, rest []byte, err error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("%w: recurrent state: want 8 bytes, found %d", ErrState, len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	b = b[8:]
	if n != 0 && n != uint64(size) {
		return nil, nil, fmt.Errorf("%w: recurrent state: want %d numbers or none, found %d", ErrState, size, n)
	}
	if uint64(len(b)) < 4*n {
		return nil, nil, fmt.Errorf("%w: recurrent state: want %d bytes, found %d", ErrState, 4*n, len(b))
	}
	if n == 0 {
		return nil, b, nil
	}
	x = make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return x, b[4*n:], nil
}

// Checkpoint lets [State.Truncate] come back to the present length, which layers
// that remember a sequence as a whole cannot do by themselves. It costs the memory
// of such layers ([State.Bytes] counts it), and nothing in models without them.
// Truncating to fewer tokens forgets the checkpoints behind.
func (s *State) Checkpoint() error {
	if !s.busy.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: checkpoint while a call runs", ErrState)
	}
	defer s.busy.Store(false)
	s.rec.checkpoint(s.n)
	return nil
}

// Checkpoints returns the lengths to which Truncate can come back, but for 0 and
// the present one; nil if it can come back to any.
func (s *State) Checkpoints() []int {
	if s.m.cfg.Delta == nil {
		return nil
	}
	list := make([]int, len(s.rec.kept))
	for i, k := range s.rec.kept {
		list[i] = k.n
	}
	return list
}
