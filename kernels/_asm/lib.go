package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gen generates for one instruction set. Kernels that differ between the two only
// in the width of a vector are written once.
type gen struct {
	*build.Context
	avx512 bool
	data   map[string]operand.Mem // constants of the file
}

// both calls f for each instruction set.
func both(c *build.Context, f func(g gen)) {
	data := map[string]operand.Mem{}
	f(gen{c, false, data})
	f(gen{c, true, data})
}

// suffix ends the names of an instruction set's functions.
func (g gen) suffix() string {
	if g.avx512 {
		return "AVX512"
	}
	return "AVX2"
}

// width is the number of float32 in a vector.
func (g gen) width() int {
	if g.avx512 {
		return 16
	}
	return 8
}

// vec returns a new vector register.
func (g gen) vec() reg.VecVirtual {
	if g.avx512 {
		return g.ZMM()
	}
	return g.YMM()
}

func (g gen) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = g.vec()
	}
	return v
}

// half returns a new register of half a vector.
func (g gen) half() reg.VecVirtual {
	if g.avx512 {
		return g.YMM()
	}
	return g.XMM()
}

// zero clears a register of any width.
func (g gen) zero(v reg.Vec) {
	g.VXORPS(v.AsX(), v.AsX(), v.AsX()) // clears all of the register
}

// and and or take all registers of the set; the plain mnemonics only 16.
func (g gen) and(a, b, dst operand.Op) {
	if g.avx512 {
		g.VPANDD(a, b, dst)
	} else {
		g.VPAND(a, b, dst)
	}
}

func (g gen) or(a, b, dst operand.Op) {
	if g.avx512 {
		g.VPORD(a, b, dst)
	} else {
		g.VPOR(a, b, dst)
	}
}

// fn starts a function with the set's suffix.
func (g gen) fn(name, sig string, doc ...string) {
	g.Function(name + g.suffix())
	g.Attributes(attr.NOSPLIT)
	g.Pragma("noescape")
	g.SignatureExpr(sig)
	g.Doc(doc...)
}

// arg loads a parameter into a new general register.
func (g gen) arg(name string) reg.GPVirtual {
	r := g.GP64()
	g.Load(g.Param(name), r)
	return r
}

// param is the place of a parameter, which may be written to.
func (g gen) param(name string) operand.Mem {
	a, err := g.Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return a.Addr
}

// argVec broadcasts a float32 parameter.
func (g gen) argVec(name string) reg.VecVirtual {
	v := g.vec()
	g.VBROADCASTSS(g.param(name), v)
	return v
}

// end returns from the function.
func (g gen) end() {
	g.VZEROUPPER()
	g.RET()
}

// loop runs body for i = start, start+step, ... while i < end. The comparison comes
// last, so the body runs at least once.
func (g gen) loop(name string, i, end reg.GPVirtual, step int, body func()) {
	g.Label(name)
	body()
	g.ADDQ(operand.Imm(uint64(step)), i)
	g.CMPQ(i, end)
	g.JLT(operand.LabelRef(name))
}

// mem is the operand at base + index*scale + disp.
func mem(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

func memIdx(base, index reg.Register, scale uint8, disp int) operand.Mem {
	return operand.Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

func imm(n int) operand.Constant { return operand.U8(n) }

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// words returns the constant of that name, defined at its first use.
func (g gen) words(name string, words ...uint32) operand.Mem {
	if m, ok := g.data[name]; ok {
		return m
	}
	m := g.StaticGlobal(name)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for _, w := range words {
		g.AppendDatum(operand.U32(w))
	}
	g.data[name] = m
	return m
}
