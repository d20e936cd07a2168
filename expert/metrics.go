package expert

import "time"

// Metrics is a snapshot of what a Store has done.
type Metrics struct {
	Budget, Used int64 // bytes that experts may take, and take
	Resident     int   // experts in memory
	Evictions    uint64

	Prefetched uint64 // experts read ahead of need,
	Useful     uint64 // those among them that were asked for,
	Wasted     uint64 // and those that were displaced before they were

	Layers []LayerMetrics
}

// LayerMetrics is what a layer has asked for.
type LayerMetrics struct {
	Stalls  uint64        // times that a call waited for memory or a read, or read itself
	Stalled time.Duration // and for how long in all
	Experts []ExpertMetrics
}

// ExpertMetrics counts one expert's requests. A chunk of tokens is one request.
type ExpertMetrics struct {
	Hits   uint64 // found in memory
	Misses uint64 // had to be read, or was being read
	Bytes  uint64 // read for it
}

// Total sums up all experts, and stalls.
func (m *Metrics) Total() (sum ExpertMetrics, stalled time.Duration) {
	for i := range m.Layers {
		l := &m.Layers[i]
		stalled += l.Stalled
		for _, e := range l.Experts {
			sum.Hits += e.Hits
			sum.Misses += e.Misses
			sum.Bytes += e.Bytes
		}
	}
	return sum, stalled
}

// HitRate returns the share of requests that found their expert in memory, 0 if
// there were none.
func (e ExpertMetrics) HitRate() float64 {
	if e.Hits+e.Misses == 0 {
		return 0
	}
	return float64(e.Hits) / float64(e.Hits+e.Misses)
}

// stats are the counters beside those of the entries, under the store's lock,
// which is taken three times a layer whether or not anybody counts.
type stats struct {
	evictions, early, useful, wasted uint64
	stalls                           []stall
}

type stall struct {
	n uint64
	d time.Duration
}

func (s *stall) add(d time.Duration) { s.n++; s.d += d }

// Metrics returns a snapshot.
func (s *Store) Metrics() Metrics {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := Metrics{
		Budget: s.budget, Used: s.used, Resident: len(s.resident), Evictions: s.stats.evictions,
		Prefetched: s.stats.early, Useful: s.stats.useful, Wasted: s.stats.wasted,
		Layers: make([]LayerMetrics, len(s.first)-1),
	}
	all := make([]ExpertMetrics, len(s.entries))
	for i := range s.entries {
		all[i] = s.entries[i].counts
	}
	for l := range m.Layers {
		st := s.stats.stalls[l]
		m.Layers[l] = LayerMetrics{Stalls: st.n, Stalled: st.d, Experts: all[s.first[l]:s.first[l+1]]}
	}
	return m
}
