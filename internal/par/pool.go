// Package par runs the parallel loops of a forward pass: a fixed set of
// goroutines that wait between loops, spinning briefly and then asleep.
package par

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Job is a parallel loop's body. Do is called once for each i in [0, n), from
// several goroutines at a time; worker (0 <= worker < Workers) is different in
// each of them, so that it can index scratch space.
type Job interface {
	Do(worker, i int)
}

// Pool is a set of workers. The goroutine that calls Run is one of them. Several
// goroutines may call Run; their loops take turns.
type Pool struct {
	*team
	ctx context.Context // of loops by way of this pool; nil for none
}

// team is the workers, which the pools of a View share.
type team struct {
	mu      sync.Mutex // held during a loop
	workers int

	job    Job
	ctx    context.Context
	shares []share
	round  atomic.Uint32 // number of the open loop; 0 when none is open
	inside atomic.Int32  // helpers that may be touching job

	failed atomic.Pointer[any]
	asking asking // of the goroutine that called Run

	last   uint32
	asleep atomic.Int32
	wake   chan struct{}
	once   sync.Once
	quit   chan struct{}
}

// share is what is left to one worker of a loop's indices, the low half of the
// word up to the high half. A worker goes through its own in order, so that it reads
// what lies in order, and then takes half of what another has left, from its end.
type share struct {
	left atomic.Uint64
	_    [56]byte // a cache line each
}

func (s *share) set(lo, hi int) { s.left.Store(uint64(hi)<<32 | uint64(lo)) }

// first takes the first index.
func (s *share) first() (int, bool) {
	for {
		old := s.left.Load()
		lo, hi := int(uint32(old)), int(old>>32)
		if lo >= hi {
			return 0, false
		}
		if s.left.CompareAndSwap(old, old+1) {
			return lo, true
		}
	}
}

// half takes the later half of the indices.
func (s *share) half() (lo, hi int) {
	for {
		old := s.left.Load()
		lo, hi = int(uint32(old)), int(old>>32)
		if lo >= hi {
			return 0, 0
		}
		mid := (lo + hi) / 2
		if s.left.CompareAndSwap(old, uint64(mid)<<32|uint64(lo)) {
			return mid, hi
		}
	}
}

// spins is how often an idle worker looks for work before it sleeps: about 20 to
// 50 microseconds, which covers the serial stretches between a layer's loops. With
// a CPU for each worker they do not yield meanwhile: sixteen workers yielding spent
// 15 % of a decode step on the scheduler's lock.
const spins = 20000

// New returns a pool of n workers, or of GOMAXPROCS (which follows the CPU
// affinity and the container's quota) if n is 0 or less.
func New(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &team{workers: n, shares: make([]share, n), wake: make(chan struct{}, n), quit: make(chan struct{})}
	for w := 1; w < n; w++ {
		go p.help(w)
	}
	return &Pool{team: p}
}

// View returns a pool of the same workers that can be bound to a context of its own.
func (p *Pool) View() *Pool { return &Pool{team: p.team} }

// Bind makes loops leave out what they have not begun once ctx is done; nil undoes
// it. Their results are incomplete then.
func (p *Pool) Bind(ctx context.Context) { p.ctx = ctx }

// Stopped reports whether loops leave something out.
func (p *Pool) Stopped() bool { return stopped(p.ctx) }

func stopped(ctx context.Context) bool { return ctx != nil && ctx.Err() != nil }

// Workers returns the number of workers.
func (p *Pool) Workers() int { return p.workers }

// Close ends the helpers. No loop may run or follow.
func (p *Pool) Close() { p.once.Do(func() { close(p.quit) }) }

// Run calls job.Do for every i in [0, n) and returns when all calls have.
// It allocates nothing.
func (p *Pool) Run(n int, job Job) {
	if n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == 1 || p.workers == 1 {
		for i := range n {
			if stopped(p.ctx) {
				return
			}
			job.Do(0, i)
		}
		return
	}
	p.job, p.team.ctx = job, p.ctx
	for w := range p.shares {
		p.shares[w].set(First(n, w, p.workers), First(n, w+1, p.workers))
	}
	p.last++
	if p.last == 0 {
		p.last = 1
	}
	p.round.Store(p.last)
	for k := min(int(p.asleep.Load()), n-1); k > 0; k-- {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	p.fail(p.work(0))
	p.round.Store(0) // a helper that arrives from here on turns back
	for i := 0; p.inside.Load() != 0; i++ {
		if i == 0 {
			p.asking.begin(job, 0)
		}
		if p.asking.some(); i > 1000 {
			runtime.Gosched()
		}
	}
	p.asking.end()
	p.job, p.team.ctx = nil, nil
	if e := p.failed.Swap(nil); e != nil {
		panic(*e)
	}
}

// work calls Do until no index is left, or Do panics, and returns what it
// panicked with.
func (p *team) work(worker int) (failure any) {
	defer func() { failure = recover() }()
	for {
		i, ok := p.take(worker)
		if !ok || stopped(p.ctx) {
			return nil
		}
		p.job.Do(worker, i)
	}
}

// take hands out an index: the worker's next, or one that another has left.
func (p *team) take(worker int) (int, bool) {
	own := &p.shares[worker]
	if i, ok := own.first(); ok {
		return i, true
	}
	for k := 1; k < p.workers; k++ {
		if lo, hi := p.shares[(worker+k)%p.workers].half(); lo < hi {
			own.set(lo+1, hi)
			return lo, true
		}
	}
	return 0, false
}

// fail keeps the first panic of a loop; Run repeats it in its caller's goroutine,
// once no helper is inside, so that a fault in a mapped file can be turned into an
// error there.
func (p *team) fail(failure any) {
	if failure != nil {
		for w := range p.shares {
			p.shares[w].set(0, 0) // hand out no more
		}
		first := failure // escapes here, so that a loop without a panic allocates nothing
		p.failed.CompareAndSwap(nil, &first)
	}
}

func (p *team) help(worker int) {
	// Weights may be mapped: reading where the file was cut off is a panic then,
	// not the end of the process.
	debug.SetPanicOnFault(true)
	crowded := p.workers > runtime.GOMAXPROCS(0)
	var seen uint32
	var ask asking
	for idle := 0; ; {
		if r := p.round.Load(); r != 0 && r != seen {
			p.inside.Add(1)
			if r = p.round.Load(); r != 0 {
				p.fail(p.work(worker))
				ask.begin(p.job, worker)
				seen = r
			}
			p.inside.Add(-1)
			idle = 0
			continue
		}
		if idle++; idle < spins {
			ask.some()
			if crowded && idle%64 == 0 {
				runtime.Gosched()
			}
			continue
		}
		ask.end()
		p.asleep.Add(1)
		if p.round.Load() == 0 || p.round.Load() == seen {
			select {
			case <-p.wake:
			case <-p.quit:
				return
			}
		}
		p.asleep.Add(-1)
		idle = 0
	}
}
