package router

// Scratch is the working memory of Route: one for each goroutine that routes. The zero value works and grows on first
// use; it may be passed from router to router.
type Scratch struct {
	scores []float32 // E: scores without bias
	choice []float32 // E: scores with bias
	groups []float32 // E, of which Groups are used: what the groups are worth
	kept   []bool    // E, likewise
	keys   []uint64  // E, of which TopGroups and then TopK are used
}

// NewScratch returns working memory that serves any router of up to the given number of experts without growing.
func NewScratch(experts int) *Scratch {
	s := new(Scratch)
	s.grow(max(experts, 0))
	return s
}

func (s *Scratch) grow(experts int) {
	if len(s.scores) >= experts {
		return
	}
	s.scores = make([]float32, experts)
	s.choice = make([]float32, experts)
	s.groups = make([]float32, experts)
	s.kept = make([]bool, experts)
	s.keys = make([]uint64, experts)
}
