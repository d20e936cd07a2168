// Budget runs the same model with memory for all of its experts, three quarters,
// half, a quarter and an eighth of them, and shows what each costs: a table, and a
// plot. With -cold it also compares a budget with a mapped file that may take just
// as much memory, both from storage.
//
//	cd examples/budget && go run . -model M.gguf -plot budget.png -cold
//
// The system bounds both by itself where there is a control group to run in, which
// takes its rights to make:
//
//	mkdir /sys/fs/cgroup/budget     (or /sys/fs/cgroup/memory/budget)
//	go run . -model M.gguf -cgroup /sys/fs/cgroup/budget
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/internal/synth"
	"github.com/coterie-go/coterie/moe"
)

func main() {
	path := flag.String("model", "", "GGUF file; a synthetic one of -shape if empty")
	shape := flag.String("shape", "olmoe-1b-7b", "synthetic model: one of "+strings.Join(synth.Shapes(), ", "))
	typ := flag.String("type", "q4_k_m", "its type")
	layers := flag.Int("layers", 0, "its layers, 0 for all")
	var j job
	flag.IntVar(&j.Tokens, "tokens", 64, "tokens to generate")
	flag.IntVar(&j.Prompt, "prompt", 64, "tokens of the prompt")
	flag.IntVar(&j.Threads, "threads", 0, "worker threads, 0 for one each CPU")
	flag.Float64Var(&j.Skew, "skew", 1, "send tokens to experts with popularities 1/rank^skew, in topics of 50 tokens, 15 % kept from the token before; 0 for the model's own router")
	flag.BoolVar(&j.Prefetch, "prefetch", false, "let routers name experts a layer ahead")
	picture := flag.String("plot", "", "PNG file for a plot")
	cold := flag.Bool("cold", false, "compare with a mapped file, both from storage")
	group := flag.String("cgroup", "", "directory of an empty memory control group to compare in; without it the mapping is held by dropping its pages")
	losses := flag.Bool("loss", true, "print what fewer experts a token cost in held-out loss")
	child := flag.String("child", "", "for the program's own use")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `What a budget for experts costs in speed.

usage: budget [-model M.gguf] [-plot FILE.png] [-cold] ...

Each line of the table is a process of its own, so that its peak of resident
memory is its own. Read in full before, the file lies in the system's cache as far
as that has room; -cold empties the cache first.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *child != "" {
		err = runChild(ctx, *child)
	} else {
		j.Path = *path
		err = run(ctx, j, *shape, *typ, *layers, *picture, *cold || *group != "", *group, *losses)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "budget:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, j job, shape, typ string, layers int, picture string, cold bool, group string, losses bool) error {
	if j.Path == "" {
		dir, err := os.MkdirTemp("", "budget")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		j.Path = filepath.Join(dir, shape+".gguf")
		if err := write(ctx, j.Path, shape, typ, layers); err != nil {
			return err
		}
	}
	plan, err := moe.Plan(j.Path, 1<<62)
	if err != nil {
		return err
	}
	if j.Experts, err = expertsOf(j.Path); err != nil {
		return err
	}
	fmt.Printf("%s: %d MB of experts, %d MB of other weights; the least budget is %d MB\n",
		filepath.Base(j.Path), plan.Experts>>20, plan.Dense>>20, plan.Minimum>>20)
	fmt.Printf("a token reads %d MB; memory gives %.1f GB/s, so that no more than %.1f tokens a second are possible\n",
		plan.PerToken>>20, plan.Bandwidth/1e9, plan.Speed)
	if here, err := moe.Plan(j.Path, 0); err != nil {
		fmt.Println("advice for this machine:", err)
	} else if here.Budget == 0 {
		fmt.Printf("advice for this machine: no budget, everything fits in the %d MB that there are (%s)\n", here.Memory>>20, here.Bound)
	} else {
		fmt.Printf("advice for this machine: a budget of %d MB of the %d MB that there are (%s)\n", here.Budget>>20, here.Memory>>20, here.Bound)
	}

	if err := warm(ctx, j.Path); err != nil {
		return err
	}
	rows, err := table(ctx, j, plan)
	if err != nil {
		return err
	}
	if picture != "" {
		if err := drawPlot(picture, rows); err != nil {
			return err
		}
	}
	if cold {
		if err := compare(ctx, j, plan, group); err != nil {
			return err
		}
	}
	if losses {
		return loss(ctx)
	}
	return nil
}

func expertsOf(path string) (int, error) {
	m, err := moe.Open(path)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	return m.Config().Router.Experts, nil
}

func write(ctx context.Context, path, shape, typ string, layers int) error {
	return cli.WriteFile(path, func(w io.Writer) error { return synth.Write(ctx, w, shape, typ, layers, nil) })
}

// table measures without a budget and with budgets of ever less.
func table(ctx context.Context, j job, plan moe.MemoryPlan) ([]result, error) {
	fmt.Printf("\nfile in the system's cache, %d tokens after a prompt of %d\n", j.Tokens, j.Prompt)
	fmt.Println("experts in memory   prompt   decode    of none  hit rate   read/token  stall/token   peak memory  promised")
	var rows []result
	for _, part := range []float64{0, 1, 0.75, 0.5, 0.25, 0.125} {
		j.Budget = 0
		if part > 0 {
			j.Budget = max(int64(part*float64(plan.Experts)), plan.Minimum)
		}
		if part == 1 {
			j.Budget += plan.Experts / 64 // whole pages for each expert
		}
		r, err := measure(ctx, j)
		if err != nil {
			return nil, err
		}
		r.Part = part
		rows = append(rows, r)
		name, promised := "mapped, no budget", "-"
		if part > 0 {
			name = fmt.Sprintf("%.1f %%", 100*part)
			promised = fmt.Sprintf("%d MB", (j.Budget+plan.Dense+r.Caches+moe.Allowance)>>20)
		}
		fmt.Printf("%-17s %6.1f/s %6.2f/s %8.0f %% %8.1f %% %9.1f MB %9.1f ms %10d MB %9s\n", name, r.Prompt, r.Decode,
			100*r.Decode/rows[0].Decode, 100*r.HitRate, r.Read/1e6, r.Stall*1e3, r.Peak>>20, promised)
		if r.Print != rows[0].Print {
			return nil, fmt.Errorf("with a budget of %d bytes the logits have other bits than without", j.Budget)
		}
	}
	fmt.Println("all with the same logits, bit for bit")
	return rows, nil
}

// compare measures a quarter of the experts in memory, by a budget and by a mapping
// that is held to as much.
func compare(ctx context.Context, j job, plan moe.MemoryPlan, group string) error {
	fmt.Printf("\nnothing in the system's cache, a quarter of the experts in memory\n")
	budget := max(plan.Experts/4, plan.Minimum)
	if j.Group = group; group != "" {
		promised := budget + plan.Dense + moe.Allowance + plan.CachePerToken*int64(j.Prompt+j.Tokens)
		if err := limitGroup(group, promised); err != nil {
			return err
		}
		fmt.Printf("each in the control group %s, limited to %d MB, page cache included\n", group, promised>>20)
	}
	var speed [2]float64
	for i, mapped := range []bool{true, false} {
		if err := drop(j.Path); err != nil {
			return err
		}
		j.Mapped, j.Budget = mapped, budget
		if mapped && group != "" { // the group holds it
			j.Mapped, j.Budget = false, 0
		}
		r, err := measure(ctx, j)
		if err != nil {
			return err
		}
		name := "budget"
		if mapped {
			name = "mapped"
		}
		fmt.Printf("%-8s prompt %6.1f/s  decode %6.2f/s  peak memory %d MB\n", name, r.Prompt, r.Decode, r.Peak>>20)
		speed[i] = r.Decode
	}
	fmt.Printf("the budget is %.1f times as fast\n", speed[1]/speed[0])
	if group != "" {
		return nil
	}
	fmt.Println("(the mapping is held to the same memory by dropping the least recently used experts, and the neighbours\n that the system mapped unasked, from it and from the system's cache; the time that takes is not counted,\n and other weights stay, which is kinder than the system would be)")
	return nil
}

// measure runs a job in a process of its own.
func measure(ctx context.Context, j job) (r result, err error) {
	arg, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	c := exec.CommandContext(ctx, self, "-child", string(arg))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}
