package moe

import (
	"io"

	"github.com/coterie-go/coterie/quant"
	"github.com/coterie-go/coterie/tensor"
)

// delta adds a gated delta net's tensors. GGUF keeps queries, keys and values, and
// gates, in a matrix each; some architectures with the value heads in the order
// (share, key head), where the hub has (key head, share).
func (x *exporter) delta(l *layer, i int) {
	d, n := x.config.Delta, l.delta
	share := d.ValueHeads / d.KeyHeads
	head := func(p int) int { return p } // of the hub, at place p
	if x.family.tiled {
		head = func(p int) int { return p%d.KeyHeads*share + p/d.KeyHeads }
	}
	heads := func(of []float32) []float32 {
		out := make([]float32, len(of))
		for p := range out {
			out[p] = of[head(p)]
		}
		return out
	}
	value := func(c int) (int, int) { return head(c / d.ValueDim), c % d.ValueDim } // of a value channel
	keys, values := d.KeyHeads*d.KeyDim, d.ValueHeads*d.ValueDim
	from := func(row int) int { // where channel row is in the projected row
		switch {
		case row < keys:
			return n.q[row/d.KeyDim] + row%d.KeyDim
		case row < 2*keys:
			return n.k[row/d.KeyDim-d.KeyHeads] + row%d.KeyDim
		}
		h, c := value(row - 2*keys)
		return n.v[h] + c
	}
	source := sourceType(n.in[0])
	rows := func(role string, count int, from func(row int) int) {
		x.rows(x.role(role, i), source, count, x.config.Dim, func(dst []float32, row int) { n.row(dst, from(row)) })
	}
	rows("attn_qkv.weight", 2*keys+values, from)
	rows("attn_gate.weight", values, func(row int) int { h, c := value(row); return n.z[h] + c })
	if x.family.tiled {
		rows("ssm_beta.weight", d.ValueHeads, func(row int) int { return n.beta[head(row)] })
		rows("ssm_alpha.weight", d.ValueHeads, func(row int) int { return n.alpha[head(row)] })
	} else { // for each key head: betas, alphas
		rows("ssm_ba.weight", 2*d.ValueHeads, func(row int) int {
			h, s := row/(2*share), row%(2*share)
			if s < share {
				return n.beta[h*share+s]
			}
			return n.alpha[h*share+s-share]
		})
	}
	all := d.channels()
	taps := make([]float32, 0, all*d.Conv)
	for c := range all {
		at := c
		if c >= 2*keys {
			h, v := value(c - 2*keys)
			at = 2*keys + h*d.ValueDim + v
		}
		for t := range d.Conv {
			taps = append(taps, n.taps[t*all+at])
		}
	}
	x.floats(x.role("ssm_conv1d.weight", i), taps, all, d.Conv)
	x.floats(x.role("ssm_a", i), heads(n.decay))
	x.floats(x.role("ssm_dt.bias", i), heads(n.step))
	x.floats(x.role("ssm_norm.weight", i), n.norm)
	row := make([]float32, values)
	x.rows(x.role("ssm_out.weight", i), sourceType(l.attnOut), x.config.Dim, values, func(dst []float32, r int) {
		l.attnOut.Row(row, r)
		for c := range dst {
			h, v := value(c)
			dst[c] = row[h*d.ValueDim+v]
		}
	})
}

// row sets dst to row r of the joint projection.
func (n *deltaLayer) row(dst []float32, r int) {
	for _, l := range n.in {
		if r < l.Out() {
			l.Row(dst, r)
			return
		}
		r -= l.Out()
	}
}

// rows adds a matrix that is read row by row.
func (x *exporter) rows(name string, source quant.Type, out, in int, read func(dst []float32, row int)) {
	t := x.typeOf(name, source, out, in)
	x.add(name, t, []int{out, in}, int64(t.RowBytes(in))*int64(out), func(w io.Writer) error {
		var importance quant.Columns
		if x.Importance != nil {
			importance = x.Importance(name, 0)
		}
		src, dst := make([]float32, in), make([]byte, t.RowBytes(in))
		for r := range out {
			read(src, r)
			if err := quant.QuantizeFor(dst, t, src, importance); err != nil {
				return err
			}
			if _, err := w.Write(dst); err != nil {
				return err
			}
		}
		return nil
	})
}

// deltaKeys writes the sizes of gated delta nets. GGUF says which layers have one
// by an interval.
func (x *exporter) deltaKeys(num func(key string, v int)) {
	c, d := &x.config, x.config.Delta
	num("ssm.conv_kernel", d.Conv)
	num("ssm.state_size", d.KeyDim)
	num("ssm.group_count", d.KeyHeads)
	num("ssm.time_step_rank", d.ValueHeads)
	num("ssm.inner_size", d.ValueHeads*d.ValueDim)
	every := len(c.Layers) + 1
	for i, l := range c.Layers {
		if !l.Recurrent {
			every = min(every, i+1)
		}
	}
	num("full_attention_interval", every)
}

// indexer adds an indexer's tensors.
func (x *exporter) indexer(l *indexer, i int) {
	for _, p := range []struct {
		role string
		l    *tensor.Linear
	}{{"indexer.attn_q_b", l.q}, {"indexer.attn_k", l.k}, {"indexer.proj", l.weights}} {
		x.linear(x.role(p.role, i), p.l, nil)
	}
	x.floats(x.role("indexer.k_norm.weight", i), l.norm)
	x.floats(x.role("indexer.k_norm.bias", i), l.bias)
}
