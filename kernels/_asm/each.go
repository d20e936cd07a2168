package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// elements is a part of a group of 16 values: a whole vector, or what a mask
// leaves of one.
type elements struct {
	g    gen
	i    reg.GPVirtual // index of the group
	h    int           // number of the vector within it
	mask *tail
}

// each calls body for all vectors of n values: in a loop over groups of 16, then
// masked for the rest.
func (g gen) each(n reg.GPVirtual, body func(e elements)) {
	i, whole := g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(n, whole)
	g.ANDQ(operand.I8(-16), whole)
	g.JZ(operand.LabelRef("rest"))
	g.loop("groups", i, whole, 16, func() {
		for h := range 16 / g.width() {
			body(elements{g, i, h, nil})
		}
	})
	g.Label("rest")
	g.ANDQ(imm(15), n)
	g.JZ(operand.LabelRef("done"))
	mask := g.tailMask(n)
	for h := range 16 / g.width() {
		g.tailHalf(mask, h)
		body(elements{g, i, h, &mask})
	}
	g.Label("done")
}

func (e elements) at(p reg.Register) operand.Mem {
	return memIdx(p, e.i, 4, 4*e.h*e.g.width())
}

// load returns the values of p; zeros where masked.
func (e elements) load(p reg.Register) reg.VecVirtual {
	v := e.g.vec()
	if e.mask != nil {
		e.g.loadTail(e.at(p), *e.mask, v)
	} else {
		e.g.VMOVUPS(e.at(p), v)
	}
	return v
}

func (e elements) store(v reg.VecVirtual, p reg.Register) {
	switch {
	case e.mask == nil:
		e.g.VMOVUPS(v, e.at(p))
	case e.g.avx512:
		e.g.VMOVUPS(v, e.mask.k, e.at(p))
	default:
		e.g.VMASKMOVPS(v, e.mask.lanes, e.at(p))
	}
}

// keep clears v where masked.
func (e elements) keep(v reg.VecVirtual) {
	switch {
	case e.mask == nil:
	case e.g.avx512:
		e.g.VMOVAPS_Z(v, e.mask.k, v)
	default:
		e.g.VANDPS(e.mask.lanes, v, v)
	}
}

// choose keeps v and takes other where masked.
func (e elements) choose(v, other reg.VecVirtual) {
	switch {
	case e.mask == nil:
	case e.g.avx512:
		e.g.VBLENDMPS(v, other, e.mask.k, v)
	default:
		e.g.VBLENDVPS(e.mask.lanes, v, other, v)
	}
}
