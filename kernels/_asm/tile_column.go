package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// column is the product of 16 rows with one column, straight from the blocks: the
// codes that would be stored in a tile are multiplied in the registers they are
// in. Storing and loading them costs more than reading the blocks from memory
// leaves room for.
type column struct {
	q, d, sums reg.GPVirtual // the block's activations
	acc        [16][]reg.VecVirtual
	steps      [16]int // so far in acc
	scale      [16]func(once bool) reg.VecVirtual
	scales     [16]reg.VecVirtual // of those that were asked for, once
	ds         [4]Op
	m, msum    Op
	isum, f    reg.VecVirtual
	words      [16]reg.VecVirtual // sums in 16 bits, without VNNI
	room       reg.GPVirtual      // without AVX-512, of super-blocks
}

// Offsets within the room, where a super-block's scales and floats wait for its codes:
// in 16 registers there is no place for them.
const (
	roomScale = 0 // [16] eight pairs
	roomD     = 512
	roomM     = roomD + 32
	roomMin   = roomM + 32
	roomUnit  = roomMin + 32 // [4] a unit
)

// keep stores x in the room, if there is one, and returns where it is from then on.
func (v *column) keep(t *tiler, x reg.VecVirtual, off int) Op {
	if v.room == nil {
		return x
	}
	m := Mem{Base: v.room, Disp: off}
	t.VMOVDQU(x, m)
	return m
}

// later stores a unit in the room, if there is one, and returns what loads its registers.
func (t *tiler) later(x [4]reg.VecVirtual) func(j int) reg.VecVirtual {
	if t.column == nil || t.column.room == nil {
		return func(j int) reg.VecVirtual { return x[j] }
	}
	for j, x := range x {
		t.column.keep(t, x, roomUnit+32*j)
	}
	return func(j int) reg.VecVirtual {
		y := t.vec()
		t.VMOVDQU(Mem{Base: t.column.room, Disp: roomUnit + 32*j}, y)
		return y
	}
}

// dots writes the functions dot<name>AVX512 and dot<name>AVX2.
func (l layout) dots(c *build.Context) {
	data := map[string]Mem{}
	if l.row != nil {
		l.dotRow(c, data)
	} else {
		dry := l.dot(build.NewContext(), map[string]Mem{}, true, nil)
		l.dot(c, data, true, dry.wanted)
	}
	l.dot(c, data, false, l.dot(build.NewContext(), map[string]Mem{}, false, nil).wanted)
}

func (l layout) dot(c *build.Context, data map[string]Mem, evex bool, hold []constant) *tiler {
	args := "dst *float32, src *byte, stride, blocks, ahead int, q *int8, d *float32, sums *int16"
	if l.beside {
		args += ", scales *byte, scaleStride int"
	}
	if l.super() && !evex {
		args += ", room *byte"
	}
	name := "dot" + l.name + suffix(evex)
	function(c, name, fmt.Sprintf("%s sets dst to the products of 16 rows of %s blocks with one column. It asks for the cache lines that many bytes ahead.", name, l.format), args)
	t := newTiler(c, l, data, evex, evex)
	v := &column{q: c.GP64(), d: c.GP64(), sums: c.GP64(), f: t.vec()}
	t.column, t.ahead, t.back = v, c.GP64(), c.GP64()
	c.Load(c.Param("ahead"), t.ahead)
	c.ADDQ(place(c, "src"), t.ahead)
	c.Load(c.Param("stride"), t.back)
	c.SHLQ(U8(3), t.back)
	c.NEGQ(t.back)
	if l.super() && !evex {
		v.room = c.GP64()
		c.Load(c.Param("room"), v.room)
	}
	t.hold(hold)
	t.eachRows(func() {
		c.Load(c.Param("q"), v.q)
		c.Load(c.Param("d"), v.d)
		c.Load(c.Param("sums"), v.sums)
		t.VPXOR(v.f, v.f, v.f)
	}, func() {
		if l.super() {
			v.isum = t.vec()
			t.VPXOR(v.isum, v.isum, v.isum)
			if l.min {
				msum := t.vec()
				t.VPXOR(msum, msum, msum)
				v.msum = msum
			}
		}
		l.block(t)
		c.ADDQ(U32(uint32(t.rowsAtOnce()*l.bytes)), t.ahead)
		if l.super() {
			v.step(t, v.isum, v.ds[0], 0, false)
			if l.min {
				v.step(t, v.msum, v.m, 0, true)
			}
			c.ADDQ(U32(256), v.q)
			c.ADDQ(U8(4), v.d)
			c.ADDQ(U8(32), v.sums)
			return
		}
		if l.min {
			x := t.vec()
			t.VPXOR(x, x, x)
			v.sum(t, 0, "ones", 0x10001, x)
			v.step(t, x, v.m, 0, false)
		}
		c.ADDQ(U8(uint8(l.values)), v.q)
		c.ADDQ(U8(uint8(l.values/32*4)), v.d)
		c.ADDQ(U8(uint8(l.values/32*4)), v.sums)
	}, func() {
		dst := c.GP64()
		c.Load(c.Param("dst"), dst)
		if !t.wide {
			c.ADDQ(t.half, dst)
		}
		c.VMOVUPS(v.f, Mem{Base: dst})
	})
	return t
}

// sum adds to acc the pair of sums at off times the constant pair.
func (v *column) sum(t *tiler, off int, name string, pair uint32, acc reg.VecVirtual) {
	x, m := t.vec(), Mem{Base: v.sums, Disp: off}
	if t.evex {
		t.VMOVDQU(t.dwords(name, pair), x)
		t.VPDPWSSD_BCST(m, x, acc)
		return
	}
	t.VPBROADCASTD(m, x)
	t.VPMADDWD(t.dwords(name, pair), x, x)
	t.VPADDD(x, acc, acc)
}

// pair adds to acc the i-th pair of sums times the pairs x.
func (v *column) pair(t *tiler, i int, x, acc reg.VecVirtual) {
	m := Mem{Base: v.sums, Disp: 4 * i}
	if t.evex {
		t.VPDPWSSD_BCST(m, x, acc)
		return
	}
	y := t.vec()
	t.VPBROADCASTD(m, y)
	t.VPMADDWD(x, y, y)
	t.VPADDD(y, acc, acc)
}

// code multiplies the codes of values i to i+3.
func (v *column) code(t *tiler, x reg.VecVirtual, i int) {
	l := &t.layout
	s := i / l.sub
	n := v.steps[s]
	v.steps[s]++
	if t.evex {
		v.vnni(t, x, i, n)
	} else {
		v.madd(t, x, i, n)
	}
	if t.evex && l.words() && n%4 == 3 {
		t.VPDPWSSD(v.once(s), v.acc[s][0], v.isum)
		v.acc[s] = nil
		return
	}
	if n+1 < l.sub/4 || v.room != nil {
		return
	}
	acc := v.acc[s][0]
	for _, x := range v.acc[s][1:] {
		t.VPADDD(x, acc, acc)
	}
	if l.super() {
		t.VPMULLD(v.once(s), acc, acc)
		t.VPADDD(acc, v.isum, v.isum)
		return
	}
	if l.bias != 0 && !t.signed() {
		pair := uint32(uint16(-l.bias)) * 0x10001
		switch {
		case l.sub == 16 && s%2 == 0:
			pair &= 0xffff
		case l.sub == 16:
			pair &= 0xffff0000
		}
		v.sum(t, i/32*4, fmt.Sprintf("bias%d", s%(32/l.sub)), pair, acc)
	}
	v.step(t, acc, v.ds[s], i/32*4, false)
}

// once returns scale s as a dword.
func (v *column) once(s int) reg.VecVirtual {
	if v.scales[s] == nil {
		v.scales[s] = v.scale[s](true)
	}
	return v.scales[s]
}

// words reports whether sums of 16 products fit 16 bits, so that vpdpwssd applies the
// scale.
func (l *layout) words() bool { return l.super() && l.most > 0 && 16*l.most*128 < 1<<15 }

// vnni adds products to the n-th of the sums of a scale.
func (v *column) vnni(t *tiler, x reg.VecVirtual, i, n int) {
	chains := 1
	if !t.layout.super() { // eight in a chain take longer than the reorder buffer covers
		chains = 2
	}
	s := i / t.layout.sub
	if len(v.acc[s]) < chains {
		acc := t.vec()
		t.VPXOR(acc, acc, acc)
		v.acc[s] = append(v.acc[s], acc)
	}
	t.VPDPBUSD_BCST(Mem{Base: v.q, Disp: i}, x, v.acc[s][n%chains])
}

// madd is vnni by vpmaddubsw, whose results are added in 16 bits while they fit.
// vpmaddwd widens them and, in super-blocks, applies the scale.
func (v *column) madd(t *tiler, x reg.VecVirtual, i, n int) {
	y, s := t.vec(), i/t.layout.sub
	t.VPBROADCASTD(Mem{Base: v.q, Disp: i}, y)
	together := 1
	if t.signed() {
		abs := t.vec()
		t.VPABSB(x, abs)
		t.VPSIGNB(x, y, y)
		t.VPMADDUBSW(y, abs, y)
	} else {
		t.VPMADDUBSW(y, x, y)
		together = t.layout.together()
	}
	if n%together > 0 {
		t.VPADDW(v.words[s], y, y)
	}
	v.words[s] = y
	if n%together < together-1 {
		return
	}
	if v.room != nil {
		t.VPMADDWD(Mem{Base: v.room, Disp: roomScale + 32*s}, y, y)
		t.VPADDD(y, v.isum, v.isum)
		return
	}
	t.VPMADDWD(t.dwords("ones", 0x10001), y, y)
	if len(v.acc[s]) == 0 {
		v.acc[s] = append(v.acc[s], y)
		return
	}
	t.VPADDD(v.acc[s][0], y, y)
	v.acc[s][0] = y
}

// signed says that code takes the codes without the bias of 128: vpmaddubsw is given
// their absolute values, and their signs with the activations.
func (t *tiler) signed() bool { return t.column != nil && !t.evex && t.layout.bias == 128 }

// together is the number of results of vpmaddubsw that may be added in 16 bits, as a
// power of two: two products of the greatest code and an activation each.
func (l *layout) together() int {
	n := 1
	for 2*n <= l.sub/4 && 2*n*2*l.most*128 < 1<<15 {
		n *= 2
	}
	return n
}

// step adds float32(sum)*(d*dy), dy at v.d+off.
func (v *column) step(t *tiler, sum, d Op, off int, minus bool) {
	x, m := t.vec(), Mem{Base: v.d, Disp: off}
	if t.evex {
		t.VMULPS_BCST(m, d, x)
	} else {
		t.VBROADCASTSS(m, x)
		t.VMULPS(d, x, x)
	}
	y, ok := sum.(reg.VecVirtual)
	if !ok {
		y = t.vec()
	}
	t.VCVTDQ2PS(sum, y)
	if minus {
		t.VFNMADD231PS(x, y, v.f)
	} else {
		t.VFMADD231PS(x, y, v.f)
	}
}
