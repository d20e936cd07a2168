package kernels

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// kind numbers the formats that have kernels of their own.
type kind uint8

// table holds one instruction set's kernels; read it to know what is
// accelerated where. The portable table is the specification.
type table struct {
	name          string
	dot           func(a, b []float32) float32
	axpy          func(dst []float32, a float32, x []float32)
	add           func(dst, x []float32)
	div           func(dst, x []float32, d float32)
	rmsNorm       func(dst, x, w []float32, eps float32)
	softmax       func(dst, x []float32)
	swiGLU        func(dst, gate, up []float32)
	swiGLUClamped func(dst, gate, up []float32, alpha, limit float32)
	quantize      func(q []int8, d []float32, sums []int16, x []float32, block int)
	rotateHalf    func(x, cos, sin []float32)
	rotatePairs   func(x, cos, sin []float32)
	mulFloat      func(dst []float32, ld int, w *Weights, x []float32, cols []int32, n int, s *Scratch)
	mulT          func(dst []float32, ld int, w *Weights, x []float32, ldx int, cols []int32, n int, s *Scratch)
	mulQ8         func(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch)
	deltaNet      func(state []float32, r *DeltaRun)
	limitFloat    func(n int) int
	limitInt8     func(n int) int
	limitRead     func(p []byte)
	attend        func(a *Attn, q []float32, ldq int, k, v *Weights, lo, hi []int32, scale float32, s *Scratch)
	join          func(dst, c, b, x []float32, seen *[joinQueries]int32)
	totals        func(M, L, m, l []float32, seen *[joinQueries]int32)
	storeF16      func(dst []byte, src []float32)
}

// active is the table in use, chosen once at start.
var active, activeErr = choose(os.Getenv("COTERIE_ISA"))

var portable = table{
	name:          "portable",
	dot:           dot,
	axpy:          axpy,
	add:           add,
	div:           div,
	rmsNorm:       rmsNorm,
	softmax:       softmax,
	swiGLU:        swiGLU,
	swiGLUClamped: swiGLUClamped,
	quantize:      quantize,
	rotateHalf:    rotateHalf,
	rotatePairs:   rotatePairs,
	mulFloat:      mulFloat,
	mulT:          mulT,
	mulQ8:         mulQ8,
	deltaNet:      deltaNet,
	attend:        attend,
	join:          joinRows,
	totals:        totals,
	storeF16:      storeF16,
	limitFloat:    limitFloat,
	limitInt8:     limitInt8,
	limitRead:     limitRead,
}

// choose returns the table called name, or the best one if name is empty. Asked
// for one that this CPU or build lacks, it returns the portable table and an
// error, which [ISA] reports.
func choose(name string) (*table, error) {
	tables := available()
	if name == "" {
		return tables[len(tables)-1], nil
	}
	var names []string
	for _, t := range tables {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	return &portable, fmt.Errorf("%w: %q; this CPU and build have %s", ErrISA, name, strings.Join(names, ", "))
}

// ErrISA says that an instruction set was asked for that is not to be had.
var ErrISA = errors.New("kernels: no such instruction set")

// ISA returns the name of the kernel table in use. The error says that the
// environment variable COTERIE_ISA asks for one that this CPU or build lacks.
func ISA() (string, error) { return active.name, activeErr }

// ISAs returns the names of the tables that this CPU and build have, the best last.
func ISAs() []string {
	var names []string
	for _, t := range available() {
		names = append(names, t.name)
	}
	return names
}

// UseISA switches to another table and returns a function that switches back.
// It must not be called while kernels run; tests and benchmarks use it.
func UseISA(name string) (restore func(), err error) {
	t, err := choose(name)
	if err != nil {
		return nil, err
	}
	old := active
	active = t
	return func() { active = old }, nil
}
