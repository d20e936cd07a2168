package moe

// MemoryPlan says what memory to give to experts, and what to expect.
type MemoryPlan struct {
	Budget int64
}

func (m *Model) plan(memory int64) (MemoryPlan, error) { return MemoryPlan{}, nil }
