package router

// Scratch is the working memory of Route: one for each goroutine that routes. The zero value works and grows on first
// use; it may be passed from router to router.
type Scratch struct {
	scores []float32 // E: scores without bias
	choice []float32 // E: scores with bias
	groups []float32 // E: at most Groups values of groups
	top    []float32 // E: at most TopGroups of them, the best
	ids    []int32   // E: their numbers
	kept   []bool    // E: per group
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
	f := make([]float32, 4*experts)
	s.scores, s.choice, s.groups, s.top = f[:experts:experts], f[experts:2*experts:2*experts], f[2*experts:3*experts:3*experts], f[3*experts:]
	s.ids = make([]int32, experts)
	s.kept = make([]bool, experts)
}
