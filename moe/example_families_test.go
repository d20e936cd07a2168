package moe_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coterie-go/coterie/moe"
)

// A config.json suffices to know a model's size.
func ExampleReadConfig() {
	c, err := moe.ReadConfig("testdata/configs/gpt-oss-120b.json")
	if err != nil {
		log.Fatal(err)
	}
	total, active := c.Parameters()
	fmt.Printf("%s: %d of %d experts, %.0f B parameters, %.1f B active\n", c.Family, c.Router.TopK, c.Router.Experts, float64(total)/1e9, float64(active)/1e9)
	// Output: gpt-oss: 4 of 128 experts, 117 B parameters, 5.1 B active
}

// Layers that remember a sequence as a whole go back to checkpoints only.
func ExampleState_Checkpoint() {
	m, err := moe.Open("testdata/golden/qwen3-next")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ctx, s := context.Background(), m.NewState()
	if _, err := m.Forward(ctx, s, []int32{5, 6, 7}); err != nil {
		log.Fatal(err)
	}
	if err := s.Checkpoint(); err != nil {
		log.Fatal(err)
	}
	if _, err := m.Forward(ctx, s, []int32{8, 9}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Truncate(4) != nil, s.Checkpoints(), s.Truncate(3), s.Len())
	// Output: true [3] <nil> 3
}
