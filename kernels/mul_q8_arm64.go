//go:build !purego

package kernels

import "unsafe"

// Few columns multiply straight from the blocks, four rows at a time, where the
// format has a kernel for it. Otherwise columns meet a tile: eight rows, whole,
// unpacked so that a lane is a row, and activations go in four values at a time as
// they lie (SDOT), or eight of two columns laid side by side (SMMLA). A call takes
// four columns: the 32 sums of a sub-block and the 32 of a block fill half of the
// registers, leaving the other half to weights, activations and scales. For
// sub-blocks of 32, llvm-mca's models of Neoverse V1 and N2 take this at 80 % of
// the peak of SDOT, 61 % of that of SMMLA.

const (
	tileRows    = 8
	tileColumns = 4
)

// superTile is a super-block of eight rows, smallTile a block of 32 values. q is
// (k/4, row, 4) for SDOT and (k/8, row, 8) for SMMLA.
type superTile struct {
	q       [16][128]int8
	scale   [16][tileRows]int32
	min     [16][tileRows]int16
	d, dMin [tileRows]float32
}

type smallTile struct {
	q [2][128]int8
	d [2][tileRows]float32
	m [tileRows]float32
}

// tileRoom is what a tile is made from, in the scratch in front of it: no local
// variable, because what a Format's functions get escapes.
type tileRoom struct {
	super [tileRows]Super
	small [tileRows]Small
	pair  [2]Small
}

// tileActs are the rows of activations that a call takes, and their blocks. SMMLA
// takes the codes of all four from q[0], laid out by pairColumns.
type tileActs struct {
	q    [tileColumns]*int8
	d    [tileColumns]*float32
	sums [tileColumns]*int16
	n    int
}

// products are a tile's, a column after the other.
type products [tileColumns][tileRows]float32

func mulQ8NEON(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(false, dst, ld, w, x, cols, n, s)
}

func mulQ8I8MM(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	mulTiles(true, dst, ld, w, x, cols, n, s)
}

// fewColumns returns the greatest number of columns with which f's blocks are
// multiplied as they are; to unpack them costs as much as about four products.
func fewColumns(f *Format) int {
	switch f {
	case Q8_0, Q4_0, Q5_0, IQ4NL, MXFP4, Q4K, Q5K, Q6K:
		return 5
	}
	return 0
}

// stepColumns is the greatest number of columns for mulSteps: to lay out a tile
// costs as much as about two products.
const stepColumns = 2

// mulSteps unpacks a block after the other and multiplies it with each column.
func mulSteps(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	f, blocks := w.Format, w.K/x.Block
	room := (*tileRoom)(unsafe.Pointer(&s.floats(int(unsafe.Sizeof(tileRoom{})) / 4)[0]))
	super, small := &room.super[0], &room.small[0]
	var y [stepColumns]Q8
	for j := range n {
		y[j] = x.row(col(cols, j), w.K)
	}
	for r := range w.Rows {
		var acc [stepColumns]float32
		for i := range blocks {
			if f.Super != nil {
				f.Super(super, w.Data[r*w.Stride+i*f.Bytes:])
				for j := range n {
					acc[j] = stepSuper(acc[j], super, &y[j].Q[256*i], &y[j].Sums[16*i], y[j].D[i], f.Min)
				}
				continue
			}
			w.unpackSmall(small, room, r, i)
			for j := range n {
				acc[j] = stepSmall(acc[j], small, &y[j].Q[32*i], &y[j].Sums[2*i], y[j].D[i], f.Per16, f.Min)
			}
		}
		for j := range n {
			dst[j*ld+r] = acc[j]
		}
	}
}

// unpackSmall sets b to block i of row r.
func (w *Weights) unpackSmall(b *Small, room *tileRoom, r, i int) {
	data := w.Data[r*w.Stride:]
	switch f := w.Format; {
	case f.Small != nil:
		f.Small(b, data[i*f.Bytes:])
	case f.SmallBeside != nil:
		f.SmallBeside(b, data[i*f.Bytes:], w.Scale8[r*w.ScaleStride+i])
	default:
		f.Pair(&room.pair, data[i/2*f.Bytes:])
		*b = room.pair[i%2]
	}
}

// mulBlocks multiplies blocks as they lie in memory, four rows at a time. By
// llvm-mca's models of Neoverse N1 and V1 it reads, out of the first cache, 9 and
// 15 bytes a cycle of q8_0, 4.7 and 9 of q4_K, 3.7 and 7.4 of q6_K, 2.9 and 4.9 of
// mxfp4: more than a core's share of the memory.
func mulBlocks(dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int) {
	for r := 0; r < w.Rows; r += 4 {
		rows := min(4, w.Rows-r)
		p := rows4(unsafe.Pointer(&w.Data[r*w.Stride]), w.Stride, rows)
		for j := range n {
			var out [4]float32
			y := x.row(col(cols, j), w.K)
			q, d, sums, n := &y.Q[0], &y.D[0], &y.Sums[0], len(y.D)
			switch w.Format {
			case Q8_0:
				dots4Q8_0(&out, p[0], p[1], p[2], p[3], q, d, n)
			case Q4_0:
				dots4Q4_0(&out, p[0], p[1], p[2], p[3], q, d, n)
			case Q5_0:
				dots4Q5_0(&out, p[0], p[1], p[2], p[3], q, d, n)
			case IQ4NL:
				dots4IQ4NL(&out, p[0], p[1], p[2], p[3], q, d, n)
			case MXFP4:
				dots4MXFP4(&out, p[0], p[1], p[2], p[3], q, d, n)
			case Q4K:
				dots4Q4K(&out, p[0], p[1], p[2], p[3], q, d, sums, n)
			case Q5K:
				dots4Q5K(&out, p[0], p[1], p[2], p[3], q, d, sums, n)
			case Q6K:
				dots4Q6K(&out, p[0], p[1], p[2], p[3], q, d, sums, n)
			}
			copy(dst[j*ld+r:][:rows], out[:])
		}
	}
}

func mulTiles(mm bool, dst []float32, ld int, w *Weights, x *Q8, cols []int32, n int, s *Scratch) {
	if w.Rows == 0 || n == 0 {
		return
	}
	w.row(w.Rows - 1) // panics if it is not there
	if w.K == 0 {
		mulQ8(dst, ld, w, x, cols, n, s)
		return
	}
	few := fewColumns(w.Format)
	switch {
	case few > 0 && n <= few:
		mulBlocks(dst, ld, w, x, cols, n)
		return
	case few == 0 && n <= stepColumns:
		mulSteps(dst, ld, w, x, cols, n, s)
		return
	}
	blocks := w.K / x.Block
	size := unsafe.Sizeof(smallTile{})
	if x.Block == 256 {
		size = unsafe.Sizeof(superTile{})
	}
	groups := (n + tileColumns - 1) / tileColumns
	need := int(unsafe.Sizeof(tileRoom{})) + blocks*int(size)
	if mm {
		need += groups * tileColumns * w.K
	}
	room := unsafe.Pointer(&s.floats(need / 4)[0])
	pairs := unsafe.Add(room, unsafe.Sizeof(tileRoom{})) // groups of four columns, as SMMLA takes them
	tile := unsafe.Add(room, need-blocks*int(size))
	if mm {
		for g := range groups {
			c := x.columns(cols, g*tileColumns, n, w.K)
			pairColumns((*int8)(unsafe.Add(pairs, g*tileColumns*w.K)), &c, w.K/16)
		}
	}
	for r := 0; r < w.Rows; r += tileRows {
		rows := min(tileRows, w.Rows-r) // the other lanes hold what was there before
		if x.Block == 256 {
			w.fillSuper(mm, unsafe.Slice((*superTile)(tile), blocks), (*tileRoom)(room), r, rows)
		} else {
			w.fillSmall(mm, unsafe.Slice((*smallTile)(tile), blocks), (*tileRoom)(room), r, rows)
		}
		for j := 0; j < n; j += tileColumns {
			var out products
			c := x.columns(cols, j, n, w.K)
			if mm {
				c.q[0] = (*int8)(unsafe.Add(pairs, j*w.K))
			}
			mulTile(mm, &out, tile, &c, w.Format)
			for i := j; i < min(j+tileColumns, n); i++ {
				copy(dst[i*ld+r:][:rows], out[i-j][:])
			}
		}
	}
}

// columns returns columns j to j+3, the last one repeated.
func (q *Q8) columns(cols []int32, j, n, k int) tileActs {
	c := tileActs{n: k / q.Block}
	for i := range tileColumns {
		y := q.row(col(cols, min(j+i, n-1)), k)
		c.q[i], c.d[i], c.sums[i] = &y.Q[0], &y.D[0], &y.Sums[0]
	}
	return c
}

func mulTile(mm bool, dst *products, tile unsafe.Pointer, c *tileActs, f *Format) {
	switch {
	case f.Super != nil && mm:
		mulSuperSMMLA(dst, (*superTile)(tile), c, scales32(f), f.Min)
	case f.Super != nil:
		mulSuperSDOT(dst, (*superTile)(tile), c, scales32(f), f.Min)
	case mm:
		mulSmallSMMLA(dst, (*smallTile)(tile), c, f.Per16, f.Min)
	default:
		mulSmallSDOT(dst, (*smallTile)(tile), c, f.Per16, f.Min)
	}
}

// scales32 reports whether the sub-blocks of a super-block are 32 values wide.
func scales32(f *Format) bool {
	switch f {
	case Q4K, Q5K, IQ1S, IQ2XXS, IQ3XXS, IQ3S, IQ4XS, TQ1_0, TQ2_0:
		return true
	}
	return false
}

// fillSuper sets t to rows r to r+rows-1 of w.
func (w *Weights) fillSuper(mm bool, t []superTile, room *tileRoom, r, rows int) {
	f := w.Format
	for i := range t {
		for k := range rows {
			f.unpackNEON(&room.super[k], w.Data[(r+k)*w.Stride+i*f.Bytes:])
		}
		if mm {
			fillSuperSMMLA(&t[i], &room.super)
		} else {
			fillSuperSDOT(&t[i], &room.super)
		}
	}
}

// fillSmall sets t to rows r to r+rows-1 of w.
func (w *Weights) fillSmall(mm bool, t []smallTile, room *tileRoom, r, rows int) {
	var p [tileRows]unsafe.Pointer
	for k := range p {
		p[k] = unsafe.Pointer(&w.Data[(r+min(k, rows-1))*w.Stride])
	}
	switch w.Format {
	case Q8_0:
		fillQ8_0(&t[0], &p, len(t), mm)
		return
	case Q4_0:
		fillQ4_0(&t[0], &p, len(t), mm)
		return
	case Q5_0:
		fillQ5_0(&t[0], &p, len(t), mm)
		return
	case IQ4NL:
		fillIQ4NL(&t[0], &p, len(t), mm)
		return
	case MXFP4:
		fillMXFP4(&t[0], &p, len(t), mm)
		return
	}
	for i := range t {
		for k := range rows {
			w.unpackSmall(&room.small[k], room, r+k, i)
		}
		if mm {
			fillSmallSMMLA(&t[i], &room.small)
		} else {
			fillSmallSDOT(&t[i], &room.small)
		}
	}
}

// stepSuper adds the product of a block with a column's to acc: see dotSuper.
//
//go:noescape
func stepSuper(acc float32, b *Super, q *int8, sums *int16, d float32, min bool) float32

// stepSmall adds the product of a block with a column's to acc: see dotSmall.
//
//go:noescape
func stepSmall(acc float32, b *Small, q *int8, sums *int16, d float32, narrow, min bool) float32

// pairColumns lays out n times 16 values of four columns as (k/8, column, 8).
//
//go:noescape
func pairColumns(dst *int8, c *tileActs, n int)

//go:noescape
func fillSuperSDOT(t *superTile, b *[tileRows]Super)

//go:noescape
func fillSuperSMMLA(t *superTile, b *[tileRows]Super)

//go:noescape
func fillSmallSDOT(t *smallTile, b *[tileRows]Small)

//go:noescape
func fillSmallSMMLA(t *smallTile, b *[tileRows]Small)

// fillQ8_0 sets n tiles from t on to blocks at p, for SMMLA if mm; those below do
// the same for other formats.
//
//go:noescape
func fillQ8_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)

//go:noescape
func fillQ4_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)

//go:noescape
func fillQ5_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)

//go:noescape
func fillIQ4NL(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)

//go:noescape
func fillMXFP4(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)

// mulSuperSDOT multiplies the c.n tiles from t on with four columns. wide says
// that two neighbouring scales, and minima, are the same.
//
//go:noescape
func mulSuperSDOT(dst *products, t *superTile, c *tileActs, wide, min bool)

//go:noescape
func mulSuperSMMLA(dst *products, t *superTile, c *tileActs, wide, min bool)

// mulSmallSDOT multiplies the c.n tiles from t on with four columns. narrow says
// that a block has two scales.
//
//go:noescape
func mulSmallSDOT(dst *products, t *smallTile, c *tileActs, narrow, min bool)

//go:noescape
func mulSmallSMMLA(dst *products, t *smallTile, c *tileActs, narrow, min bool)

// dots4Q8_0 sets dst to the products of rows w0-w3, of n blocks, with a column;
// those below do the same for other formats.
//
//go:noescape
func dots4Q8_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)

//go:noescape
func dots4Q4_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)

//go:noescape
func dots4Q5_0(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)

//go:noescape
func dots4IQ4NL(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)

//go:noescape
func dots4MXFP4(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, n int)

//go:noescape
func dots4Q4K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)

//go:noescape
func dots4Q5K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)

//go:noescape
func dots4Q6K(dst *[4]float32, w0, w1, w2, w3 unsafe.Pointer, q *int8, d *float32, sums *int16, n int)
