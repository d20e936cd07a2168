package moe

import (
	"github.com/coterie-go/coterie/kernels"
)

// cacheLayout says how a page holds the rows of AttnBlock tokens: for each
// key-value head its keys, then for each its values. Latent attention has one
// row, rotary values before latent ones, and its values lie within it.
type cacheLayout struct {
	heads  int // key-value heads
	dk, dv int
	latent bool
	k, v   rowLayout
	index  rowLayout // of the keys of an indexer, which lie behind all else
}

// rowLayout is a row of values in one or two parts, each in a format of its own.
type rowLayout struct {
	parts [2]rowPart
	bytes int
	whole *kernels.Format // the format of all parts if kernels read it as it lies
}

type rowPart struct {
	n      int
	format *kernels.Format
}

func newCacheLayout(c *Config, f *kernels.Format) cacheLayout {
	l := cacheLayout{heads: c.KVHeads, dk: c.HeadDim, dv: c.ValueDim}
	if a := c.Latent; a != nil {
		l.heads, l.latent = 1, true
		l.dk, l.dv = a.RopeDim+a.KVRank, a.KVRank
		l.k = newRowLayout(f, a.RopeDim, a.KVRank)
	} else {
		l.k, l.v = newRowLayout(f, l.dk, 0), newRowLayout(f, l.dv, 0)
	}
	if c.Indexer != nil {
		if f == kernels.Q8_0 { // products of keys and queries are float products
			f = kernels.F16
		}
		l.index = newRowLayout(f, c.Indexer.Dim, 0)
	}
	return l
}

// newRowLayout returns the layout of rows of a and b values in format f. In q8_0,
// parts that are not whole blocks are in f16.
func newRowLayout(f *kernels.Format, a, b int) rowLayout {
	r := rowLayout{whole: f} // kernels of attention read q8_0 as well
	for i, n := range [2]int{a, b} {
		p := rowPart{n, f}
		if n%f.Block != 0 {
			p.format = kernels.F16
			r.whole = nil
		}
		r.parts[i] = p
		r.bytes += p.bytes()
	}
	return r
}

func (p *rowPart) bytes() int { return p.n / p.format.Block * p.format.Bytes }

// pageBytes is the size of one layer's page.
func (l *cacheLayout) pageBytes() int {
	return kernels.AttnBlock * (l.heads*(l.k.bytes+l.v.bytes) + l.index.bytes)
}

// rows returns n values of each of a run of rows, from byte at on.
func (r *rowLayout) rows(p []byte, at, n int) kernels.Weights {
	return kernels.Weights{Format: r.whole, Rows: kernels.AttnBlock, K: n, Data: p[at:], Stride: r.bytes}
}

// keyAt, valueAt and indexAt say where in a page the rows of a head begin.
func (l *cacheLayout) keyAt(head int) int { return kernels.AttnBlock * head * l.k.bytes }
func (l *cacheLayout) valueAt(head int) int {
	return kernels.AttnBlock * (l.heads*l.k.bytes + head*l.v.bytes)
}
func (l *cacheLayout) indexAt() int { return kernels.AttnBlock * l.heads * (l.k.bytes + l.v.bytes) }

// block returns the keys and values of one head in a page as kernels take them.
// What they do not read as it lies is expanded to buf; rows that are not in
// lo..hi-1 are undefined then.
func (l *cacheLayout) block(p []byte, head, lo, hi int, buf *[]float32) (k, v kernels.Weights) {
	if l.k.whole != nil && (l.latent || l.v.whole != nil) {
		k = l.k.rows(p, l.keyAt(head), l.dk)
		if l.latent { // the last dv values of the keys' rows
			return k, l.k.rows(p, l.k.bytes-l.k.parts[1].bytes(), l.dv)
		}
		return k, l.v.rows(p, l.valueAt(head), l.dv)
	}
	n := l.dk
	if !l.latent {
		n += l.dv
	}
	if len(*buf) < kernels.AttnBlock*n {
		*buf = make([]float32, kernels.AttnBlock*n)
	}
	k = f32Rows((*buf)[:kernels.AttnBlock*l.dk], l.dk)
	l.k.expand(*buf, p[l.keyAt(head):], lo, hi)
	if l.latent {
		return k, k.Columns(l.dk-l.dv, l.dk)
	}
	values := (*buf)[kernels.AttnBlock*l.dk:][:kernels.AttnBlock*l.dv]
	l.v.expand(values, p[l.valueAt(head):], lo, hi)
	return k, f32Rows(values, l.dv)
}

// setKeys writes the keys of a head to row i of a page. Latent attention's row is
// in two parts.
func (l *cacheLayout) setKeys(p []byte, head, i int, x, y []float32) {
	dst := p[l.keyAt(head)+i*l.k.bytes:]
	l.k.parts[1].store(dst[l.k.parts[0].store(dst, x):], y)
}

// setValues writes the values of a head to row i of a page.
func (l *cacheLayout) setValues(p []byte, head, i int, x []float32) {
	l.v.parts[0].store(p[l.valueAt(head)+i*l.v.bytes:], x)
}

// setIndex writes an indexer's keys to row i of a page; indexKeys returns all rows.
func (l *cacheLayout) setIndex(p []byte, i int, x []float32) {
	l.index.parts[0].store(p[l.indexAt()+i*l.index.bytes:], x)
}

func (l *cacheLayout) indexKeys(p []byte) kernels.Weights {
	return l.index.rows(p, l.indexAt(), l.index.parts[0].n)
}

// store writes x to dst and returns the bytes that it takes.
func (r *rowPart) store(dst []byte, x []float32) int {
	if r.n == 0 {
		return 0
	}
	n := r.bytes()
	if r.format == kernels.Q8_0 {
		storeQ8(dst[:n], x)
	} else {
		r.format.Store(dst[:n], x)
	}
	return n
}
