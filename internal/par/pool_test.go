package par

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type count struct {
	hits []atomic.Int32
	busy []atomic.Int32 // per worker: 1 while inside Do
	t    *testing.T
}

func (c *count) Do(w, i int) {
	if !c.busy[w].CompareAndSwap(0, 1) {
		c.t.Error("two goroutines share a worker number")
	}
	c.hits[i].Add(1)
	c.busy[w].Store(0)
}

func TestRunCallsEachIndexOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		p := New(workers)
		for n := range 200 {
			c := &count{make([]atomic.Int32, n), make([]atomic.Int32, workers), t}
			p.Run(n, c)
			for i := range c.hits {
				if h := c.hits[i].Load(); h != 1 {
					t.Fatalf("%d workers, n=%d: index %d ran %d times", workers, n, i, h)
				}
			}
			if n%50 == 0 {
				time.Sleep(time.Millisecond) // let the helpers fall asleep
			}
		}
		p.Close()
	}
}

func TestRunFromManyGoroutines(t *testing.T) {
	p := New(3)
	defer p.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c := &count{make([]atomic.Int32, 17), make([]atomic.Int32, 3), t}
				p.Run(17, c)
				for i := range c.hits {
					if c.hits[i].Load() != 1 {
						t.Error("an index did not run once")
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseEndsGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		p := New(4)
		p.Run(8, &count{make([]atomic.Int32, 8), make([]atomic.Int32, 4), t})
		p.Close()
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

type faulty struct{ at int }

func (f faulty) Do(_, i int) {
	if i == f.at {
		panic("at fault")
	}
}

func TestPanicReachesCaller(t *testing.T) {
	p := New(3)
	defer p.Close()
	for at := range 20 {
		func() {
			defer func() {
				if e := recover(); e != "at fault" {
					t.Errorf("recovered %v", e)
				}
			}()
			p.Run(20, faulty{at})
			t.Error("Run returned")
		}()
	}
	p.Run(8, nop{}) // the pool still works
}

type nop struct{}

func (nop) Do(int, int) {}

func TestRunAllocatesNothing(t *testing.T) {
	p := New(2)
	defer p.Close()
	if n := testing.AllocsPerRun(100, func() { p.Run(8, nop{}) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkRun(b *testing.B) {
	p := New(0)
	defer p.Close()
	for b.Loop() {
		p.Run(p.Workers(), nop{})
	}
}

// slow cancels at one of its calls.
type slow struct {
	calls  atomic.Int32
	cancel func()
}

func (s *slow) Do(int, int) {
	if s.calls.Add(1) == 5 {
		s.cancel()
	}
}

func TestBind(t *testing.T) {
	for _, workers := range []int{1, 4} {
		p := New(workers)
		defer p.Close()
		v := p.View()
		ctx, cancel := context.WithCancel(context.Background())
		v.Bind(ctx)
		j := &slow{cancel: cancel}
		v.Run(1000, j)
		if n := int(j.calls.Load()); n < 5 || n > 5+workers {
			t.Errorf("%d workers: %d calls, the 5th of which cancelled", workers, n)
		}
		if !v.Stopped() || p.Stopped() {
			t.Error("Stopped")
		}
		other := &slow{cancel: func() {}}
		if p.Run(100, other); other.calls.Load() != 100 {
			t.Errorf("another pool of the same workers: %d calls", other.calls.Load())
		}
		v.Bind(nil) //lint:ignore SA1012 nil is how a view is unbound
		other = &slow{cancel: func() {}}
		if v.Run(100, other); other.calls.Load() != 100 {
			t.Errorf("unbound: %d calls", other.calls.Load())
		}
	}
}

// TestShares: a worker goes through its share in order, and a thief takes the later
// half of what is left.
func TestShares(t *testing.T) {
	p := &team{workers: 2, shares: make([]share, 2)}
	p.shares[0].set(0, 3)
	p.shares[1].set(3, 7)
	take := func(worker, want int) {
		t.Helper()
		got, ok := p.take(worker)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	take(0, 0)
	take(0, 1)
	take(0, 2)
	take(0, 5) // of 3 to 6 left to the other, 5 and 6 are taken
	take(1, 3)
	take(0, 6)
	take(1, 4)
	for w := range 2 {
		_, ok := p.take(w)
		require.False(t, ok)
	}
}

// follows is a loop that knows what follows it.
type follows struct {
	count
	asked []atomic.Int32 // by each worker
	next  []byte
	slow  chan struct{} // holds worker 0, so that the others wait
}

func (f *follows) Do(w, i int) {
	f.count.Do(w, i)
	if w == 0 && i == 0 {
		<-f.slow
	}
}

func (f *follows) Ahead(dst [][]byte, w int) [][]byte {
	if f.asked[w].Add(1) == 1 && w == 1 {
		close(f.slow)
	}
	return append(dst, f.next, nil, f.next[:1])
}

// TestWorkersThatWaitAsk: a worker without work asks for what follows while another
// still has some, and indices are handed out as ever.
func TestWorkersThatWaitAsk(t *testing.T) {
	p := New(2)
	defer p.Close()
	f := &follows{count{make([]atomic.Int32, 9), make([]atomic.Int32, 2), t}, make([]atomic.Int32, 2), make([]byte, 10*piece+1), make(chan struct{})}
	p.Run(9, f)
	for i := range f.hits {
		require.EqualValues(t, 1, f.hits[i].Load())
	}
	require.EqualValues(t, 1, f.asked[1].Load())

	var q asking
	q.begin(f, 1)
	n := 0
	for ; q.next < len(q.list); n++ {
		q.some()
	}
	require.Equal(t, 11+1+1, n, "pieces")
	q.some() // nothing is left
	q.begin(&f.count, 1)
	require.Empty(t, q.list, "of a loop that does not know")
	list := q.list[:cap(q.list)]
	q.end()
	for _, b := range list {
		require.Nil(t, b, "is not kept from the collector")
	}
}
