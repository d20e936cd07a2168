package expert

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A trace is what the tokens of a text asked for: (tokens, layers, k) experts.
type trace struct {
	name               string
	layers, experts, k int
	ids                []uint8
}

func (tr *trace) tokens() int { return len(tr.ids) / (tr.layers * tr.k) }

func (tr *trace) at(token, layer int) []uint8 {
	return tr.ids[(token*tr.layers+layer)*tr.k:][:tr.k]
}

// readTrace reads a trace file: gzip of "layers experts k" as three uint16, then
// the ids, a byte each. testdata/README.md says where it comes from.
func readTrace(t *testing.T, name string) *trace {
	f, err := os.Open("testdata/" + name + ".trace.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	all, err := io.ReadAll(z)
	require.NoError(t, err)
	var head [3]uint16
	require.NoError(t, binary.Read(bytes.NewReader(all), binary.LittleEndian, &head))
	tr := &trace{name: name, layers: int(head[0]), experts: int(head[1]), k: int(head[2]), ids: all[6:]}
	require.Zero(t, len(tr.ids)%(tr.layers*tr.k))
	for _, id := range tr.ids {
		require.Less(t, int(id), tr.experts)
	}
	return tr
}

// skewed makes up a trace. In each layer experts have popularities 1/rank^skew
// (Zipf), the ranks dealt anew for each topic; a topic lasts a geometric number of
// tokens, and with probability again a token keeps an expert of the one before.
// Traces of real models show the same three things: favourites, topics, and
// repetition (25 to 47 % of a token's experts served the one before as well).
func skewed(name string, layers, experts, k, tokens int, skew, again float64, topic int) *trace {
	rng := rand.New(rand.NewPCG(7, uint64(experts)))
	tr := &trace{name: name, layers: layers, experts: experts, k: k}
	const topics = 4
	weight := make([][]float64, topics*layers)
	for i := range weight {
		weight[i] = make([]float64, experts)
		for rank, e := range rng.Perm(experts) {
			weight[i][e] = math.Pow(float64(rank+1), -skew)
		}
	}
	now := 0
	last := make([][]uint8, layers)
	for range tokens {
		if rng.IntN(topic) == 0 {
			now = rng.IntN(topics)
		}
		for l := range layers {
			var ids []uint8
			for _, e := range last[l] {
				if rng.Float64() < again {
					ids = append(ids, e)
				}
			}
			for len(ids) < k {
				// Drawing by the largest of exponentials over weights takes each once.
				best, at := math.Inf(1), 0
				for e, w := range weight[now*layers+l] {
					if v := rng.ExpFloat64() / w; v < best && !slices.Contains(ids, uint8(e)) {
						best, at = v, e
					}
				}
				ids = append(ids, uint8(at))
			}
			last[l] = ids
			tr.ids = append(tr.ids, ids...)
		}
	}
	return tr
}

// repeated returns how many of a token's experts served the one before.
func repeated(tr *trace) float64 {
	same, all := 0, 0
	for t := 1; t < tr.tokens(); t++ {
		for l := range tr.layers {
			for _, e := range tr.at(t, l) {
				all++
				if slices.Contains(tr.at(t-1, l), e) {
					same++
				}
			}
		}
	}
	return float64(same) / float64(all)
}

// optimum is Belady's policy: it displaces what is used latest in the future. It
// must be asked with the trace's own requests.
type optimum struct {
	tr   *trace
	uses [][]int // of each expert, the times of its requests
	next []int   // how many of them have passed
}

func newOptimum(tr *trace) NewPolicy {
	return func(layers, experts int) Policy {
		p := &optimum{tr: tr, uses: make([][]int, layers*experts), next: make([]int, layers*experts)}
		for t := range tr.tokens() {
			for l := range layers {
				for _, e := range tr.at(t, l) {
					i := l*experts + int(e)
					p.uses[i] = append(p.uses[i], t*layers+l)
				}
			}
		}
		return p
	}
}

func (p *optimum) Begin(int, int) {}
func (p *optimum) Use(layer, expert, _ int) {
	p.next[layer*p.tr.experts+expert]++
}
func (p *optimum) Score(layer, expert int) float64 {
	i := layer*p.tr.experts + expert
	if p.next[i] == len(p.uses[i]) {
		return math.Inf(-1)
	}
	return -float64(p.uses[i][p.next[i]])
}

// replay returns the hit rate of a policy that keeps so many experts, after the
// first warm tokens.
func replay(tr *trace, policy NewPolicy, capacity, warm int) float64 {
	p := policy(tr.layers, tr.experts)
	in := make([]bool, tr.layers*tr.experts)
	used, hits, all := 0, 0, 0
	for t := range tr.tokens() {
		for l := range tr.layers {
			ids := tr.at(t, l)
			p.Begin(l, 1)
			pinned := map[int]bool{}
			for _, e := range ids {
				p.Use(l, int(e), 1)
				pinned[l*tr.experts+int(e)] = true
			}
			for _, e := range ids {
				i := l*tr.experts + int(e)
				if t >= warm {
					all++
					if in[i] {
						hits++
					}
				}
				if in[i] {
					continue
				}
				if used == capacity {
					victim, least := -1, 0.0
					for j, ok := range in {
						if !ok || pinned[j] {
							continue
						}
						if v := p.Score(j/tr.experts, j%tr.experts); victim < 0 || v < least {
							victim, least = j, v
						}
					}
					in[victim] = false
					used--
				}
				in[i] = true
				used++
			}
		}
	}
	return float64(hits) / float64(all)
}

// TestPolicies replays traces against the policies. It prints the table from which
// DefaultPolicy was chosen and holds what the choice rests on: no policy beats the
// optimum, and the default is the best of the online ones at each budget, in the
// mean over the traces.
func TestPolicies(t *testing.T) {
	traces := []*trace{
		readTrace(t, "tale"),
		readTrace(t, "olmoe-1b-7b"),
		readTrace(t, "qwen3-30b-a3b"),
		readTrace(t, "deepseek-v2-lite"),
		readTrace(t, "gpt-oss-20b"),
		skewed("zipf 0.7, topics of 100", 16, 64, 8, 320, 0.7, 0.1, 100),
		skewed("zipf 1, topics of 50", 8, 128, 8, 320, 1, 0.15, 50),
		skewed("zipf 0.5, topics of 200", 12, 64, 6, 320, 0.5, 0.2, 200),
	}
	for _, tr := range traces {
		r := repeated(tr)
		t.Logf("%s: %.3f of experts served the token before", tr.name, r)
		require.True(t, r > 0.25 && r < 0.47, "%s: %.3f of experts served the token before", tr.name, r)
	}
	policies := []struct {
		name string
		make NewPolicy
	}{
		{"LRU", LRU}, {"LFU", LFU}, {"decayed LFU", DecayedLFU},
	}
	budgets := []float64{0.75, 0.5, 0.25, 0.125}
	mean := make([][]float64, len(policies)) // over traces, for each budget
	var table strings.Builder
	for _, tr := range traces {
		fmt.Fprintf(&table, "\n%s: %d layers, %d of %d experts, %d tokens\n%-12s", tr.name, tr.layers, tr.k, tr.experts, tr.tokens(), "")
		for _, b := range budgets {
			fmt.Fprintf(&table, "%8.1f %%", 100*b)
		}
		warm := tr.tokens() / 4
		best := make([]float64, len(budgets))
		for i, p := range policies {
			if mean[i] == nil {
				mean[i] = make([]float64, len(budgets))
			}
			fmt.Fprintf(&table, "\n%-12s", p.name)
			for j, b := range budgets {
				rate := replay(tr, p.make, max(int(b*float64(tr.layers*tr.experts)), tr.k), warm)
				best[j] = max(best[j], rate)
				mean[i][j] += rate / float64(len(traces))
				fmt.Fprintf(&table, "%10.3f", rate)
			}
		}
		fmt.Fprintf(&table, "\n%-12s", "optimum")
		for j, b := range budgets {
			rate := replay(tr, newOptimum(tr), max(int(b*float64(tr.layers*tr.experts)), tr.k), warm)
			fmt.Fprintf(&table, "%10.3f", rate)
			require.GreaterOrEqual(t, rate, best[j], "%s at %v: an online policy cannot beat the optimum", tr.name, b)
		}
		table.WriteByte('\n')
	}
	fmt.Fprintf(&table, "\nmean")
	for i, p := range policies {
		fmt.Fprintf(&table, "\n%-12s", p.name)
		for j := range budgets {
			fmt.Fprintf(&table, "%10.3f", mean[i][j])
		}
	}
	t.Log(table.String())
	for i, p := range policies[:2] {
		for j, b := range budgets {
			require.Greater(t, mean[2][j], mean[i][j], "%s at %v", p.name, b)
		}
	}
}

// TestPolicyByHand: three experts of one layer, room for two.
func TestPolicyByHand(t *testing.T) {
	use := func(p Policy, ids ...int) Policy {
		for _, id := range ids {
			p.Begin(0, 1)
			p.Use(0, id, 1)
		}
		return p
	}
	worst := func(p Policy) int {
		at := 0
		for id := range 3 {
			if p.Score(0, id) < p.Score(0, at) {
				at = id
			}
		}
		return at
	}
	require.Equal(t, 1, worst(use(LRU(1, 3), 1, 0, 2, 0)))
	require.Equal(t, 2, worst(use(LFU(1, 3), 0, 0, 1, 1, 2)))
	require.Equal(t, 1, worst(use(LFU(1, 3), 0, 0, 1, 2)), "of equals the one used longest ago")
	require.Equal(t, 2, worst(use(DecayedLFU(1, 3), 0, 1, 0, 1, 2, 0, 1)))
	require.Equal(t, 0, worst(use(newDecayed(1, 3, 1, 2, 0), 0, 0, 0, 1, 1, 2, 1, 2, 1, 2, 2, 1)), "favourites of long ago")

	// Two layers, equally used: the one that asks later is worth less.
	p := DecayedLFU(2, 1)
	p.Begin(0, 1)
	p.Use(0, 0, 1)
	p.Begin(1, 1)
	p.Use(1, 0, 1)
	require.Greater(t, p.Score(0, 0), p.Score(1, 0))
}

func BenchmarkScore(b *testing.B) {
	p := DecayedLFU(16, 64)
	for i := range 1024 {
		p.Begin(i%16, 1)
		p.Use(i%16, i/16, 1)
	}
	for b.Loop() {
		p.Score(3, 17)
	}
}
