package expert

import "github.com/coterie-go/coterie/tensor"

// show passes the inputs and hidden rows of the parts to the observer, expert by
// expert.
func (m *Mixture) show() {
	if m.see == nil {
		return
	}
	for i := range m.parts {
		p := &m.parts[i]
		for j := range p.n {
			x := m.x.Row(j)
			if p.cols != nil {
				x = m.x.Row(int(p.cols[j]))
			}
			if m.spec.WeightBefore && p.cols != nil {
				m.seen = append(m.seen[:0], x...)
				for k := range m.seen {
					m.seen[k] *= m.before[p.slot+j]
				}
				x = m.seen
			}
			m.see(tensor.Activation{Tensor: p.e.Gate.Name, Part: p.id, Parts: p.of, X: x})
			m.see(tensor.Activation{Tensor: p.e.Up.Name, Part: p.id, Parts: p.of, X: x})
			m.see(tensor.Activation{Tensor: p.e.Down.Name, Part: p.id, Parts: p.of, X: p.hidden.Row(p.slot + j)})
		}
	}
}
