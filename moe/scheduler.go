package moe

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Scheduler runs many sequences through a model together: whatever sequences
// have a token or a piece of prompt to process travel in one batch, and sequences
// come and go between batches. Results are, bit for bit, those of each
// sequence alone.
//
//	sched := moe.NewScheduler(model, moe.SchedulerOptions{})
//	defer sched.Close()
//	// in any number of goroutines, a state each:
//	for tok, err := range sched.Generate(ctx, s, prompt, sampling) { ... }
//
// A sequence is admitted for the length of one call of Forward or of one loop over
// Generate. Beyond Sequences of them, Queue more wait in the order of their
// arrival, and further ones get ErrBusy at once. Sequences that generate are in
// every batch. Prompts take what room is left in equal shares, so a long one delays
// neither those that generate nor short prompts that come after it.
//
// Cancelling a context, or breaking off the loop, takes a sequence out once the
// batch it is in is done (at most Prompt tokens of prompts); its state holds the
// tokens processed until then and can be used further. All methods may be called
// by many goroutines at once.
type Scheduler struct {
	m       *Model
	opt     SchedulerOptions
	slots   chan struct{} // a running sequence holds one
	waiting atomic.Int32
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	wake    chan struct{} // something has arrived or left
	done    chan struct{} // the loop has ended

	mu      sync.Mutex
	closed  bool
	arrived []*sequence
	owed    int // sequences that had an answer in this round and may be back at once
	round   int // begins when waiting for them ends

	// The loop's own.
	ready   []*sequence // those with tokens to process, longest waiting first
	prompts []*sequence // those among them with more than one
	batch   []*sequence
	steps   []Step
	took    time.Duration // by the last batch
}

// SchedulerOptions are the limits of a Scheduler; 0 stands for the default.
type SchedulerOptions struct {
	Sequences int // that run together: 32
	Queue     int // that wait for their turn: 8 times Sequences; -1 for none
	Prompt    int // tokens of prompts in one batch: 128, and never more than WithChunk
}

// sequence is one that was admitted. Its fields are the caller's until it is
// submitted, then the loop's until done is sent to.
type sequence struct {
	sc     *Scheduler
	ctx    context.Context
	s      *State
	ids    []int32
	logits []float32
	done   chan error
	owed   int // the round in which it had an answer; guarded by Scheduler.mu
}

// NewScheduler starts a scheduler. Close it before the model.
func NewScheduler(m *Model, opt SchedulerOptions) *Scheduler {
	if opt.Sequences <= 0 {
		opt.Sequences = 32
	}
	if opt.Queue == 0 {
		opt.Queue = 8 * opt.Sequences
	}
	if opt.Prompt <= 0 {
		opt.Prompt = 128
	}
	sc := &Scheduler{
		m: m, opt: opt, slots: make(chan struct{}, opt.Sequences),
		wake: make(chan struct{}, 1), done: make(chan struct{}), round: 1,
	}
	sc.ctx, sc.cancel = context.WithCancel(context.Background())
	go sc.loop()
	return sc
}

// Close ends the running batch and the scheduler. Calls that wait or come later
// get ErrClosed. The model stays open.
func (sc *Scheduler) Close() error {
	sc.mu.Lock()
	sc.closed = true
	sc.mu.Unlock()
	sc.cancel()
	<-sc.done
	return nil
}

// Load returns how many sequences run and how many wait to be admitted.
func (sc *Scheduler) Load() (running, waiting int) {
	return len(sc.slots), int(sc.waiting.Load())
}

// Forward is [Model.Forward], in batches with what else there is.
func (sc *Scheduler) Forward(ctx context.Context, s *State, ids []int32) ([]float32, error) {
	q, err := sc.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer q.leave()
	return q.forward(ctx, s, ids)
}

// Generate is [Model.Generate], in batches with what else there is.
func (sc *Scheduler) Generate(ctx context.Context, s *State, prompt string, opt Sampling) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		t, err := sc.m.Tokenizer()
		if err != nil {
			yield(Token{}, err)
			return
		}
		sc.GenerateTokens(ctx, s, promptTokens(t, prompt, s.Len() == 0), opt)(yield)
	}
}

// GenerateTokens is [Model.GenerateTokens], in batches with what else there is.
func (sc *Scheduler) GenerateTokens(ctx context.Context, s *State, ids []int32, opt Sampling) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		q, err := sc.admit(ctx)
		if err != nil {
			yield(Token{}, err)
			return
		}
		defer q.leave()
		sc.m.generate(ctx, q.forward, s, ids, opt)(yield)
	}
}

// admit waits for a slot.
func (sc *Scheduler) admit(ctx context.Context) (*sequence, error) {
	if sc.ctx.Err() != nil {
		return nil, fmt.Errorf("%w: the scheduler", ErrClosed)
	}
	q := &sequence{sc: sc, done: make(chan error, 1)}
	if sc.waiting.Load() == 0 { // else it would overtake
		select {
		case sc.slots <- struct{}{}:
			return q, nil
		default:
		}
	}
	if n := sc.waiting.Add(1); int(n) > max(sc.opt.Queue, 0) {
		sc.waiting.Add(-1)
		return nil, fmt.Errorf("%w: %d sequences run, %d wait", ErrBusy, sc.opt.Sequences, max(sc.opt.Queue, 0))
	}
	defer sc.waiting.Add(-1)
	select {
	case sc.slots <- struct{}{}:
		return q, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-sc.ctx.Done():
		return nil, fmt.Errorf("%w: the scheduler", ErrClosed)
	}
}

// leave gives the slot back.
func (q *sequence) leave() {
	sc := q.sc
	sc.mu.Lock()
	sc.settle(q)
	sc.mu.Unlock()
	sc.signal()
	<-sc.slots
}

// settle notes that nobody needs to wait for q any longer.
func (sc *Scheduler) settle(q *sequence) {
	if q.owed == sc.round {
		q.owed = 0
		sc.owed--
	}
}

func (sc *Scheduler) signal() {
	select {
	case sc.wake <- struct{}{}:
	default:
	}
}

// forward submits tokens and waits for the answer, which always comes. Until then
// s is busy.
func (q *sequence) forward(ctx context.Context, s *State, ids []int32) ([]float32, error) {
	sc := q.sc
	step := [1]Step{{State: s, Tokens: ids}}
	defer giveBack(step[:])
	if err := sc.m.take(step[:]); err != nil {
		return nil, err
	}
	q.ctx, q.s, q.ids = ctx, s, ids
	sc.mu.Lock()
	if sc.closed {
		sc.mu.Unlock()
		return nil, fmt.Errorf("%w: the scheduler", ErrClosed)
	}
	sc.settle(q)
	sc.arrived = append(sc.arrived, q)
	sc.mu.Unlock()
	sc.signal()
	if err := <-q.done; err != nil {
		return nil, err
	}
	return q.logits, nil
}

// loop runs batch after batch.
func (sc *Scheduler) loop() {
	defer close(sc.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for sc.gather(timer) {
		sc.fill()
		if len(sc.batch) > 0 {
			sc.run()
		}
	}
	sc.mu.Lock()
	sc.ready, sc.arrived = append(sc.ready, sc.arrived...), nil
	sc.mu.Unlock()
	for _, q := range sc.ready {
		q.done <- fmt.Errorf("%w: the scheduler", ErrClosed)
	}
}

// gather takes in what has arrived and reports whether the scheduler is open.
// Sequences that just had a token are likely to be back with the next one in no
// time: going ahead without them would split the batch for good. They are waited
// for, an eighth of a batch at most.
func (sc *Scheduler) gather(timer *time.Timer) bool {
	timer.Reset(min(max(sc.took/8, 200*time.Microsecond), 20*time.Millisecond))
	late := false
	for {
		sc.mu.Lock()
		sc.ready, sc.arrived = append(sc.ready, sc.arrived...), sc.arrived[:0]
		if late {
			sc.owed, sc.round = 0, sc.round+1
		}
		closed, owed := sc.closed, sc.owed
		sc.mu.Unlock()
		switch {
		case closed:
			return false
		case len(sc.ready) > 0 && owed == 0:
			return true
		}
		select {
		case <-sc.wake:
		case <-timer.C:
			late = true
		case <-sc.ctx.Done():
		}
	}
}

// fill chooses the next batch: every sequence with one token left, then pieces of
// prompts in equal shares. Those whose context has ended leave.
func (sc *Scheduler) fill() {
	sc.batch, sc.steps, sc.prompts = sc.batch[:0], sc.steps[:0], sc.prompts[:0]
	alive := sc.ready[:0]
	for _, q := range sc.ready {
		if err := q.ctx.Err(); err != nil {
			sc.answer(q, err)
			continue
		}
		if len(q.ids) > 1 {
			sc.prompts = append(sc.prompts, q)
		}
		alive = append(alive, q)
	}
	clear(sc.ready[len(alive):])
	sc.ready = alive

	room := sc.m.opts.chunk
	spare := 0
	if len(sc.prompts) > 0 && room > 1 { // prompts are not starved either
		spare = 1
	}
	for _, q := range sc.ready {
		if len(q.ids) == 1 && room > spare {
			sc.add(q, 1)
			room--
		}
	}
	room = min(room, sc.opt.Prompt)
	if len(sc.prompts) <= room { // what a short one leaves of its share goes to longer ones
		slices.SortStableFunc(sc.prompts, func(a, b *sequence) int { return len(a.ids) - len(b.ids) })
	}
	for i, q := range sc.prompts {
		if room == 0 {
			break
		}
		n := min(len(q.ids), max(room/(len(sc.prompts)-i), 1))
		sc.add(q, n)
		room -= n
	}
}

// add puts the next n tokens of q into the batch.
func (sc *Scheduler) add(q *sequence, n int) {
	sc.batch = append(sc.batch, q)
	sc.steps = append(sc.steps, Step{State: q.s, Tokens: q.ids[:n]})
}

// run sends the batch through the model. If that fails, whose fault it is shows
// when each sequence runs by itself. Those with tokens left go to the queue's end.
func (sc *Scheduler) run() {
	start := time.Now()
	err := sc.forward(sc.steps)
	sc.took = time.Since(start)
	for i, q := range sc.batch {
		at := slices.Index(sc.ready, q)
		sc.ready = slices.Delete(sc.ready, at, at+1)
		step, failure := &sc.steps[i], err
		n := len(step.Tokens)
		if step.taken == n {
			failure = nil
		} else if err != nil && len(sc.batch) > 1 && sc.ctx.Err() == nil {
			step.Tokens, step.taken = step.Tokens[step.taken:], 0
			failure = sc.forward(sc.steps[i : i+1])
		}
		if failure != nil && sc.ctx.Err() != nil {
			failure = fmt.Errorf("%w: the scheduler", ErrClosed)
		}
		if failure == nil && n < len(q.ids) {
			q.ids = q.ids[n:]
			sc.ready = append(sc.ready, q)
			continue
		}
		q.logits = q.s.logits
		sc.answer(q, failure)
	}
	clear(sc.steps)
	clear(sc.batch)
}

// forward sends steps, whose sequences hold their states, through the model.
func (sc *Scheduler) forward(steps []Step) error {
	r, err := sc.m.acquire(sc.ctx, steps)
	if err != nil {
		return err
	}
	defer sc.m.release(r)
	defer r.forget()
	return r.answer(sc.ctx, steps)
}

// answer gives q back to its caller.
func (sc *Scheduler) answer(q *sequence, err error) {
	if err == nil {
		sc.mu.Lock()
		q.owed = sc.round
		sc.owed++
		sc.mu.Unlock()
	}
	q.done <- err
}
