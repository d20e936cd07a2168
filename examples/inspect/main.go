// Inspect says what a person wants to know before running a model: what it is, how
// large, what must be in memory and what one token reads.
//
//	go run ./examples/inspect MODEL       GGUF file, hub directory, or a config.json alone
//	go run ./examples/inspect -cpu        instruction sets of the kernels
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
)

func main() {
	cpu := flag.Bool("cpu", false, "print the instruction sets of the kernels and the one in use")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Describe a model before running it.

usage: inspect [-cpu] [MODEL]

MODEL is a GGUF file, a directory in the hub's layout, or a config.json alone (then
without bytes).

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	if *cpu {
		if err := printCPU(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "inspect:", err)
			os.Exit(1)
		}
	}
	if flag.NArg() == 0 && *cpu {
		return
	}
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := inspect(os.Stdout, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "inspect:", err)
		os.Exit(1)
	}
}

func printCPU(w io.Writer) error {
	name, err := kernels.ISA()
	fmt.Fprintf(w, "kernels  %s in use; this CPU and build have %s\n", name, strings.Join(kernels.ISAs(), ", "))
	fmt.Fprintf(w, "threads  %d\n", runtime.GOMAXPROCS(0))
	return err
}

func inspect(out io.Writer, path string) error {
	c, err := moe.ReadConfig(path)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	total, active := c.Parameters()
	row("family", "%s", c.Family)
	row("layers", "%d, %d with routing", len(c.Layers), c.Routed())
	if c.Routed() > 0 {
		row("experts", "%d of width %d, %d chosen for a token%s", c.Router.Experts, c.ExpertFF, c.Router.TopK, shared(&c))
	}
	row("attention", "%s", attention(&c))
	row("vocabulary", "%d", c.Vocab)
	row("context", "%d tokens", c.Context)
	row("parameters", "%s in all, %s active on a token (%.1f %%)", cli.Count(total), cli.Count(active), 100*float64(active)/float64(total))
	if err := weightRows(row, path); err != nil {
		return err
	}
	return w.Flush()
}

// weightRows adds what only the weights tell; a configuration alone has none.
func weightRows(row func(string, string, ...any), path string) error {
	if strings.HasSuffix(path, ".json") {
		return nil
	}
	m, err := moe.Open(path, moe.WithThreads(1))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.Close()
	f := m.Footprint()
	row("on disk", "%s of weights", cli.Bytes(f.Total))
	row("resident", "%s that every token needs, %s of experts (%s each at most)", cli.Bytes(f.Total-f.Routed), cli.Bytes(f.Routed), cli.Bytes(f.ExpertBytes))
	row("a token", "reads %s, %s multiply-adds; adds %s of keys and values", cli.Bytes(f.PerToken), cli.Count(f.LayerMACs+f.OutputMACs), cli.Bytes(f.CachePerToken))
	if p, err := moe.Plan(path, 0); err == nil {
		budget := "everything fits"
		if p.Budget > 0 {
			budget = fmt.Sprintf("a budget of %s for experts", cli.Bytes(p.Budget))
		}
		row("here", "%s of memory (%s): %s; at most %.1f tokens a second at %.1f GB/s", cli.Bytes(p.Memory), p.Bound, budget, p.Speed, p.Bandwidth/1e9)
	}
	return nil
}

func shared(c *moe.Config) string {
	switch {
	case c.SharedFF == 0:
		return ""
	case c.SharedGate:
		return fmt.Sprintf("; a shared one of width %d behind a gate", c.SharedFF)
	}
	return fmt.Sprintf("; a shared one of width %d", c.SharedFF)
}

func attention(c *moe.Config) string {
	if a := c.Latent; a != nil {
		return fmt.Sprintf("latent: %d heads share %d + %d values a token", c.Heads, a.KVRank, a.RopeDim)
	}
	s := fmt.Sprintf("grouped-query: %d heads on %d keys of %d", c.Heads, c.KVHeads, c.HeadDim)
	for _, l := range c.Layers {
		if l.Window > 0 {
			return s + fmt.Sprintf(", window %d on some layers", l.Window)
		}
	}
	return s
}
