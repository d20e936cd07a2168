package moe

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/coterie-go/coterie/expert"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/kernels"
)

// MemoryPlan says what a model needs, what a machine has, and what follows.
type MemoryPlan struct {
	Memory int64  // bytes that there are to use
	Bound  string // by what: "caller", "system" or the control group that limits them

	Experts       int64 // bytes of all routed experts
	Dense         int64 // of all other weights
	CachePerToken int64 // of keys and values, for each token of a state
	Minimum       int64 // budget below which Open fails

	// Budget is what to give to WithExpertBudget: what is left of Memory beside the
	// dense weights, Allowance, the caches of PlanContext tokens, and a tenth for
	// others. 0 says that everything fits and that no budget is needed.
	Budget int64

	PerToken int64 // bytes of weights that one token reads from memory
	// FromFile is how many of them come from the file at worst, when a model has no
	// favourites: texts seldom use all experts, so that a measured hit rate is higher.
	FromFile int64

	Bandwidth float64 // bytes a second that all threads read from memory, measured
	// Speed is Bandwidth over PerToken: tokens a second that no engine exceeds with
	// one sequence and everything in memory.
	Speed float64
}

// PlanContext is how many tokens of context a plan leaves memory for, or the
// model's own context where that is shorter.
const PlanContext = 8192

// Plan looks at a checkpoint and says how to run it within so many bytes of
// memory, or within what is available to this process now if memory is 0, which
// is known on Linux alone. It takes a fraction of a second.
func Plan(path string, memory int64) (MemoryPlan, error) {
	m, err := Open(path)
	if err != nil {
		return MemoryPlan{}, err
	}
	defer m.Close()
	p, err := m.plan(memory)
	if err != nil {
		return p, err
	}
	if p.Bandwidth, err = bandwidth(m.Threads()); err != nil {
		return p, err
	}
	p.Speed = p.Bandwidth / float64(p.PerToken)
	return p, nil
}

// ErrMemory reports that there is too little memory for a model, or that how much
// there is cannot be found out.
var ErrMemory = errors.New("moe: memory")

func (m *Model) plan(memory int64) (p MemoryPlan, err error) {
	f := m.Footprint()
	p = MemoryPlan{
		Memory: memory, Bound: "caller",
		Experts: f.Routed, Dense: f.Total - f.Routed, CachePerToken: f.CachePerToken, PerToken: f.PerToken,
	}
	if memory == 0 {
		if p.Memory, p.Bound, err = availableMemory(os.DirFS("/")); err != nil {
			return p, err
		}
	}
	if p.Minimum, err = m.leastBudget(); err != nil {
		return p, err
	}
	room := p.Memory - p.Memory/10 - p.Dense - Allowance - p.CachePerToken*int64(min(m.cfg.Context, PlanContext))
	if room >= p.Experts {
		return p, nil
	}
	if room < p.Minimum {
		return p, fmt.Errorf("%w: want %d bytes for experts beside %d for the other weights, found %d by %s", ErrMemory, p.Minimum, p.Dense, p.Memory, p.Bound)
	}
	p.Budget = room
	used := p.PerToken - (p.Dense - m.embedOnly())
	p.FromFile = int64(float64(used) * (1 - float64(p.Budget)/float64(p.Experts)))
	return p, nil
}

// embedOnly returns the bytes of the embedding where it is not the output too: a
// token reads one row of it.
func (m *Model) embedOnly() int64 {
	if m.w.embed == m.w.output {
		return 0
	}
	return m.w.embed.Bytes()
}

// leastBudget returns what WithExpertBudget needs at least, 0 for a model in
// memory or without routed experts.
func (m *Model) leastBudget() (int64, error) {
	if len(m.ckpt.shards) == 0 {
		return 0, nil
	}
	page, most := int64(os.Getpagesize()), int64(0)
	for i := range m.w.layers {
		for e := range m.w.layers[i].experts {
			st, err := expert.Place(&m.w.layers[i].experts[e], m.locate)
			if err != nil {
				return 0, fmt.Errorf("%w: layer %d, expert %d: %w", ErrTensor, i, e, err)
			}
			most = max(most, (st.Size()+page-1)/page*page)
		}
	}
	return most * int64(m.cfg.Router.TopK), nil
}

// bandwidth measures how fast threads read memory together, the best of a few
// passes over more than the caches hold.
func bandwidth(threads int) (float64, error) {
	const each = 64 << 20
	all, err := mmap.Alloc(threads * each)
	if err != nil {
		return 0, err
	}
	defer mmap.Free(all)
	mmap.Huge(all)
	for i := 0; i < len(all); i += 4096 {
		all[i] = 1 // pages that were never written are all the same one
	}
	best := 0.0
	for range 3 {
		var wg sync.WaitGroup
		began := time.Now()
		for t := range threads {
			wg.Go(func() { kernels.LimitRead(all[t*each:][:each]) })
		}
		wg.Wait()
		best = max(best, float64(len(all))/time.Since(began).Seconds())
	}
	return best, nil
}
