package quant

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Recipe chooses a type for each tensor of a model. Set the fields before the
// first call of TypeFor.
type Recipe struct {
	HeadsPerKV int  // query heads that share a key head; 0 if unknown. Where many do, attn_v is small and gets more bits.
	Tied       bool // the token embedding is also the output matrix
	Importance bool // blocks are chosen with column importance; then some guards are not needed

	name    string
	mix     mix
	experts *Recipe // for routed experts, if not nil
}

// mix says what differs from base for some roles; nil functions and zero types
// mean base (F32 is never a choice here).
type mix struct {
	base      Type
	file      int  // GGUF's number of the mix (general.file_type), or noFile
	plain     bool // every matrix is base
	experts   bool // base is for routed experts; the rest, the output too, is q8_0
	value     func(p place) Type
	down      func(p place) Type
	attnOut   Type
	attnOut8  Type // the same in models of eight experts
	embedding Type
}

const noFile = -1

// place is where a tensor is.
type place struct {
	*Recipe
	layer, layers int
}

// edge reports whether the layer is among the first or last eighth, or every
// third of the others: where errors hurt most.
func (p place) edge() bool {
	e := p.layers / 8
	return p.layer < e || p.layer >= 7*p.layers/8 || (p.layer-e)%3 == 2
}

func (p place) shared() bool { return p.HeadsPerKV >= 4 }

func always(t Type) func(place) Type { return func(place) Type { return t } }

// when returns a choice of t where cond holds.
func when(t Type, cond func(place) bool) func(place) Type {
	return func(p place) Type {
		if cond(p) {
			return t
		}
		return p.mix.base
	}
}

func firstEighth(p place) bool      { return p.layer < p.layers/8 }
func firstEighthBlind(p place) bool { return firstEighth(p) && !p.Importance }
func firstEighthSeen(p place) bool  { return firstEighth(p) && p.Importance }
func firstFour(p place) bool        { return p.layer < 4 }

// mixes are those of llama.cpp, whose users know them by these names.
var mixes = map[string]mix{
	"q2_k": {base: Q2_K, file: 10, attnOut: Q3_K, attnOut8: Q5_K, down: always(Q3_K), value: func(p place) Type {
		if p.shared() {
			return Q4_K
		}
		return Q3_K
	}},
	"q2_k_s": {base: Q2_K, file: 21, value: when(Q4_K, place.shared), down: when(Q4_K, firstEighth)},
	"q3_k_s": {base: Q3_K, file: 11, attnOut8: Q5_K},
	"q3_k_m": {base: Q3_K, file: 12, attnOut: Q4_K, attnOut8: Q5_K, value: func(p place) Type {
		if p.layer < 2 {
			return Q5_K
		}
		return Q4_K
	}, down: func(p place) Type {
		if p.layer < p.layers/16 {
			return Q5_K
		}
		return Q4_K
	}},
	"q3_k_l": {base: Q3_K, file: 13, attnOut: Q5_K, value: always(Q5_K), down: always(Q5_K)},
	"q4_k_s": {base: Q4_K, file: 14, attnOut8: Q5_K, value: when(Q5_K, firstFour), down: when(Q5_K, firstEighth)},
	"q4_k_m": {base: Q4_K, file: 15, attnOut8: Q5_K, value: when(Q6_K, place.edge), down: when(Q6_K, place.edge)},
	"q5_k_s": {base: Q5_K, file: 16},
	"q5_k_m": {base: Q5_K, file: 17, value: when(Q6_K, place.edge), down: when(Q6_K, place.edge)},
	"iq4_nl": {base: IQ4_NL, file: 25, attnOut8: Q5_K, value: when(Q5_K, place.shared), down: when(Q5_K, firstEighthBlind)},
	"iq4_xs": {base: IQ4_XS, file: 30, attnOut8: Q5_K, value: when(Q5_K, place.shared), down: when(Q5_K, firstEighthBlind)},
	"q8_0":   {base: Q8_0, file: 7},
	"q6_k":   {base: Q6_K, file: 18},
	"q4_1":   {base: Q4_1, file: 3},
	"q5_1":   {base: Q5_1, file: 9},
	"q4_0":   {base: Q4_0, file: 2, down: when(Q4_1, firstEighthSeen)},
	"q5_0":   {base: Q5_0, file: 8, down: when(Q5_1, firstEighthSeen)},
	"tq1_0":  {base: TQ1_0, file: 36, embedding: Q4_K},
	"tq2_0":  {base: TQ2_0, file: 37, embedding: Q4_K},
	"mxfp4":  {base: MXFP4, file: 38, experts: true},
	"nvfp4":  {base: NVFP4, file: noFile, experts: true},
	"f32":    {base: F32, file: 0, plain: true},
	"f16":    {base: F16, file: 1, plain: true},
	"bf16":   {base: BF16, file: 32, plain: true},
}

var mixAliases = map[string]string{"q3_k": "q3_k_m", "q4_k": "q4_k_m", "q5_k": "q5_k_m", "mxfp4_moe": "mxfp4"}

// Mix returns the recipe called name, in upper or lower case: "q4_k_m", "q8_0".
func Mix(name string) (*Recipe, error) {
	key := strings.ToLower(name)
	if full, ok := mixAliases[key]; ok {
		key = full
	}
	m, ok := mixes[key]
	if !ok {
		return nil, fmt.Errorf("%w: no recipe %q; there are %s", ErrType, name, strings.Join(Mixes(), " "))
	}
	return &Recipe{name: key, mix: m}, nil
}

// Mixes lists the names that Mix takes, without aliases.
func Mixes() []string { return slices.Sorted(maps.Keys(mixes)) }

// Pure returns a recipe in which every matrix has type t, or what stands in for
// it where rows do not fit.
func Pure(t Type) (*Recipe, error) {
	if !t.CanQuantize() {
		return nil, fmt.Errorf("%w: to %v", ErrCodec, t)
	}
	return &Recipe{name: strings.ToLower(t.String()), mix: mix{base: t, file: noFile, plain: true}}, nil
}

// Split returns a recipe that treats routed experts as experts does and all else
// as dense does.
func Split(dense, experts *Recipe) *Recipe {
	r := *dense
	r.name += "+" + experts.name
	r.mix.file = noFile
	r.experts = experts
	return &r
}

// String is the recipe's name.
func (r *Recipe) String() string { return r.name }

// FileType returns the number that GGUF files hold as general.file_type; ok is
// false for recipes that have none.
func (r *Recipe) FileType() (n uint32, ok bool) { return uint32(r.mix.file), r.mix.file != noFile }

// Base is the type most matrices have.
func (r *Recipe) Base() Type { return r.mix.base }

// TypeFor returns the type of the tensor with a GGUF name ("blk.3.ffn_down_exps.weight")
// in layer of layers of a model with so many routed experts (0 if none), cols values
// to a row, rows in all (of one expert). Norms, biases, routers and vectors are F32.
func (r *Recipe) TypeFor(tensorName string, layer, layers, experts, rows, cols int) Type {
	if !isMatrix(tensorName, rows) {
		return F32
	}
	routed := strings.Contains(tensorName, "_exps.")
	if routed && r.experts != nil {
		e := *r.experts
		e.HeadsPerKV, e.Tied, e.Importance = r.HeadsPerKV, r.Tied, r.Importance
		return e.TypeFor(tensorName, layer, layers, experts, rows, cols)
	}
	return suit(r.choose(tensorName, place{r, layer, layers}, experts, cols, routed), cols)
}

// isMatrix reports whether a tensor is worth quantising.
func isMatrix(name string, rows int) bool {
	return rows > 1 && strings.HasSuffix(name, ".weight") && !strings.HasSuffix(name, "_norm.weight") &&
		!strings.Contains(name, "ffn_gate_inp")
}

func (r *Recipe) choose(name string, p place, experts, cols int, routed bool) Type {
	m := &r.mix
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(s string) bool { return strings.Contains(name, s) })
	}
	switch {
	case m.plain:
		return m.base
	case name == "output.weight" || name == "token_embd.weight" && r.Tied:
		if m.experts || m.base == Q8_0 || cols%m.base.BlockLen() != 0 {
			return Q8_0
		}
		return Q6_K
	case m.experts && !routed:
		return Q8_0
	case name == "token_embd.weight" && m.embedding != 0:
		return m.embedding
	case m.experts:
	case has("attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight"):
		switch {
		case experts == 8: // few enough that the rest of the layer costs little
			return Q8_0
		case m.value != nil:
			return m.value(p)
		}
	case has("attn_k.weight") && experts == 8:
		return Q8_0
	case has("ffn_down") && m.down != nil:
		return m.down(p)
	case has("attn_output.weight"):
		switch {
		case experts == 8 && m.attnOut8 != 0:
			return m.attnOut8
		case experts != 8 && m.attnOut != 0:
			return m.attnOut
		}
	}
	return m.base
}

// fallback is the type of blocks of 32 that stands in for one of longer blocks.
var fallback = map[Type]Type{
	Q2_K: Q4_0, Q3_K: Q4_0, TQ1_0: Q4_0, TQ2_0: Q4_0, IQ4_XS: IQ4_NL, NVFP4: MXFP4,
	Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0,
}

// suit returns t, or what stands in for it in rows of cols values.
func suit(t Type, cols int) Type {
	if cols%t.BlockLen() == 0 {
		return t
	}
	if f, ok := fallback[t]; ok && cols%f.BlockLen() == 0 {
		return f
	}
	return F16
}
