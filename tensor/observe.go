package tensor

// Activation is a row that a matrix is about to be multiplied with.
type Activation struct {
	Tensor string    // the matrix's GGUF name
	Part   int       // which of the matrices that the tensor holds: an expert, or a head
	Parts  int       // how many it holds; 1 for a plain matrix
	X      []float32 // (In), valid during the call
}

// An Observer is shown activations.
type Observer func(Activation)

// show passes the rows of all products to the observer.
func (p *Products) show(n int) {
	for i := range p.list {
		q := &p.list[i]
		for j := range n {
			p.Observe(Activation{q.Linear.Name, 0, 1, q.X.F32[j*q.X.K:][:q.X.K]})
		}
	}
}
