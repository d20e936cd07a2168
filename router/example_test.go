package router_test

import (
	"fmt"

	"github.com/coterie-go/coterie/router"
)

// Mixtral's router: a softmax over all experts, the best two, their weights made to add up to 1.
func Example() {
	r, err := router.New(router.Spec{Experts: 4, TopK: 2, Score: router.Softmax, Normalize: true}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, weights := make([]int32, 2), make([]float32, 2)
	n := r.Route(ids, weights, []float32{0.5, 2, -1, 3}, nil)
	for i := range n {
		fmt.Printf("expert %d, weight %.3f\n", ids[i], weights[i])
	}
	// Output:
	// expert 3, weight 0.731
	// expert 1, weight 0.269
}

// DeepSeek-V3's router in small: groups are chosen first, and a bias that balances the load helps to choose but does
// not weigh. Expert 0 has the greatest score, but its group has nothing else to offer.
func ExampleNew() {
	spec := router.Spec{
		Experts: 6, TopK: 2, Score: router.Sigmoid,
		Groups: 3, TopGroups: 1, GroupScore: router.GroupTop2Sum, MaskToZero: true,
		Normalize: true, NormEps: 1e-20, Scale: 2.5,
	}
	bias := []float32{0, 0, 0.1, 0.1, 0, 0}
	r, err := router.New(spec, bias)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, weights := make([]int32, 2), make([]float32, 2)
	r.Route(ids, weights, []float32{3, -3, 1, 1, 1.2, 0.9}, nil)
	fmt.Println(ids, weights)
	// Output: [2 3] [1.25 1.25]
}

// A spec read from somebody's file may be nonsense; all that is wrong with it is said at once.
func ExampleSpec_Validate() {
	fmt.Println(router.Spec{Experts: 10, TopK: 12, Groups: 4, TopGroups: 2}.Validate())
	// Output:
	// router: unusable spec: TopK: want 1 to Experts (10), found 12
	// router: unusable spec: Groups: want a divisor of Experts (10), found 4
}

// Choices below a quarter of the largest weight are dropped. How many are left is what Route returns.
func ExampleRouter_Route() {
	r, err := router.New(router.Spec{Experts: 4, TopK: 3, Score: router.SoftmaxTopK, MinGate: 0.25}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ids, weights, scratch := make([]int32, 3), make([]float32, 3), router.NewScratch(4)
	n := r.Route(ids, weights, []float32{2, 1, -1, -2}, scratch)
	fmt.Printf("%d: %d %.3f\n", n, ids, weights)
	// Output: 2: [0 1 -1] [0.705 0.259 0.000]
}

func ExampleRouter_RouteBatch() {
	r, err := router.New(router.Spec{Experts: 3, TopK: 1, Score: router.SigmoidTopK}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	logits := []float32{ // two tokens
		0, 1, 2,
		5, 4, 3,
	}
	ids, weights := make([]int32, 2), make([]float32, 2)
	if err := r.RouteBatch(ids, weights, logits, 2, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d %.3f\n", ids, weights)
	// Output: [2 0] [0.881 0.993]
}

// Somebody else has chosen experts 0 and 2; the router says what they weigh.
func ExampleRouter_Weigh() {
	r, err := router.New(router.Spec{Experts: 4, TopK: 2, Score: router.Softmax, Normalize: true}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := make([]float32, 2)
	if err := r.Weigh(weights, []int32{0, 2}, []float32{1, 5, 1, 7}, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weights)
	// Output: [0.5 0.5]
}

func ExamplePlan() {
	ids := []int32{ // three tokens, two experts each
		1, 0,
		1, 3,
		3, 0,
	}
	var p router.Plan
	if err := p.Build(ids, 3, 2, 4); err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range p.Active() {
		fmt.Println("expert", e, "tokens", p.Tokens(int(e)), "slots", p.Slots(int(e)))
	}
	// Output:
	// expert 0 tokens [0 2] slots [1 1]
	// expert 1 tokens [0 1] slots [0 0]
	// expert 3 tokens [1 2] slots [1 0]
}

func ExampleStats() {
	s := router.NewStats(4)
	s.Add([]int32{0, 1}, []float32{0.9, 0.1})
	s.Add([]int32{0, 1}, []float32{0.6, 0.4})
	s.Add([]int32{2, 0}, []float32{0.5, 0.5})
	s.Add([]int32{3, 2}, []float32{0.8, 0.2})
	fmt.Println("load of expert 0:", s.Load(0))
	fmt.Printf("entropy %.3f nats, balance %.1f\n", s.Entropy(), s.Balance())
	fmt.Printf("0 and 1 go together %.2f times as often as by chance\n", s.Lift(0, 1))
	// Output:
	// load of expert 0: 3
	// entropy 1.321 nats, balance 1.5
	// 0 and 1 go together 1.33 times as often as by chance
}
