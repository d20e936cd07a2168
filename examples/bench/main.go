// Bench measures how fast a model runs, beside what the machine could do at most.
//
//	go run ./examples/bench -shape olmoe-1b-7b -type q4_k_m -prompt 256 -generate 32
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strings"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/internal/synth"
	"github.com/coterie-go/coterie/kernels"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

// result is one line of -json.
type result struct {
	Model   string `json:"model"`
	ISA     string `json:"isa"`
	Threads int    `json:"threads"`
	Prompt  int    `json:"prompt_tokens"`
	Decoded int    `json:"generated_tokens"`
	Batch   int    `json:"sequences"`
	Context int    `json:"context_before"`

	Prefill       float64 `json:"prefill_tokens_per_second"`
	PrefillSpread float64 `json:"prefill_spread"` // (max-min)/median over the repeats
	Decode        float64 `json:"decode_tokens_per_second"`
	DecodeSpread  float64 `json:"decode_spread"`

	Read     float64 `json:"read_gb_per_second"`
	Int8     float64 `json:"int8_gmacs_per_second"`
	Float    float64 `json:"float_gmacs_per_second"`
	Decoding float64 `json:"decode_bandwidth_fraction"`
	WithKV   float64 `json:"decode_bandwidth_fraction_with_cache"`
	Prefills float64 `json:"prefill_int8_fraction"`

	BytesPerToken int64   `json:"weight_bytes_per_token"`
	MACsPerToken  int64   `json:"multiply_adds_per_token"`
	Resident      int64   `json:"resident_bytes"`
	FirstToken    float64 `json:"open_to_first_token_seconds"`
}

type config struct {
	model, shape, typ, dir            string
	layers, prompt, generate, threads int
	repeats, batch, before            int
	json                              bool
	cache                             string
	load                              bool
	start, promptSet                  bool // promptSet: by the caller
}

func main() {
	var c config
	flag.StringVar(&c.model, "model", "", "GGUF file or hub directory; the embedded Tale if neither this nor -shape is given")
	flag.StringVar(&c.shape, "shape", "", "make a model of this shape with random weights: "+strings.Join(synth.Shapes(), ", "))
	flag.StringVar(&c.typ, "type", "q4_k_m", "type of the made model")
	flag.IntVar(&c.layers, "layers", 0, "layers of the made model, 0 for all")
	flag.StringVar(&c.dir, "dir", filepath.Join(os.TempDir(), "coterie-bench"), "where made models are kept")
	flag.IntVar(&c.prompt, "prompt", 256, "tokens of the prompt")
	flag.IntVar(&c.generate, "generate", 32, "tokens to generate")
	flag.IntVar(&c.threads, "threads", 0, "worker threads, 0 for one each CPU")
	flag.IntVar(&c.repeats, "repeats", 3, "how often each speed is measured")
	flag.IntVar(&c.batch, "batch", 1, "sequences that generate together")
	flag.IntVar(&c.before, "before", 0, "tokens in the context before generation is measured, if more than the prompt")
	flag.StringVar(&c.cache, "cache", "", "type of keys and values, f16 if empty")
	flag.BoolVar(&c.load, "load", false, "read weights into memory and do not map the file")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the runs to this file")
	flag.BoolVar(&c.start, "start", false, "measure the time from storage to the first logits, of prompts of 1, 16 and 256 tokens or of -prompt")
	flag.BoolVar(&c.json, "json", false, "one JSON object a line instead of text")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Measure prompt and generation speed, and what fraction of the machine's limits it is.

usage: bench [-model M | -shape S -type T -layers N] [-prompt N] [-generate N] [-threads T] [-json]
       bench -start [-model M.gguf | -shape S -type T -layers N] [-prompt N] [-threads T] [-json]

Limits are measured in the same run on the same threads, before and after each
repeat: bytes read a second from memory, multiply-adds of 8-bit integers and of floats
a second. The fractions, of each repeat with the higher of its two limits, are
  decode:  bytes of weights that a token needs x tokens a second / bytes read a second
  prefill: multiply-adds of all weight products / time / 8-bit multiply-adds a second
Figures are medians over the repeats.

With -start, how long it takes from a file on storage to the first logits, opening
included, beside how long that takes at least. Each repeat measures
  cold:   the file dropped from the page cache, the model opened, the prompt sent
  read:   the file dropped again, then what the prompt needs read in file order and
          pieces of up to 4 MB, by as many threads as the model has or four times as
          many, whichever is faster. Needed are the headers, the embeddings of the
          prompt's tokens, each expert that one of them is sent to, and all other
          weights
  cached: as cold, with all of that in memory: computing alone
The limit is the longer of read and cached, as if computing and reading overlapped in
full and reading took no processor; the fraction is limit / cold. What came into memory
meanwhile is said beside what was needed. Of the repeats, every other one reads first,
because storage may have a cache of its own. It needs Linux and a file of the caller's,
of more than 1 GiB: smaller ones are read as a whole when opened, to be checked.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { c.promptSet = c.promptSet || f.Name == "prompt" })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		defer f.Close()
		defer pprof.StopCPUProfile()
	}
	if err := run(ctx, c, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config, out io.Writer) error {
	if c.start {
		return c.starts(ctx, out)
	}
	path, err := c.path(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	m, err := openModel(path, c)
	if err != nil {
		return err
	}
	defer m.Close()
	r := result{Model: filepath.Base(path), Threads: m.Threads(), Prompt: c.prompt, Decoded: c.generate, Batch: c.batch, Context: max(c.before, c.prompt)}
	if path == "" {
		r.Model = "tale (embedded)"
	}
	if r.ISA, err = kernels.ISA(); err != nil {
		return err
	}
	if _, err := m.Forward(ctx, m.NewState(), []int32{1}); err != nil {
		return err
	}
	r.FirstToken = time.Since(start).Seconds()

	f := m.Footprint()
	r.BytesPerToken, r.MACsPerToken = f.PerToken, f.LayerMACs
	kv := f.CachePerToken * int64(r.Context+c.generate/2)
	macs := float64(f.LayerMACs) + float64(f.OutputMACs)/float64(c.prompt)
	var read, int8s, floats, prefill, decode, prefills, decoding, withKV []float64
	lim, err := newLimits(m.Threads())
	if err != nil {
		return err
	}
	defer lim.free()
	before := lim.measure()
	for range c.repeats {
		p, d, err := c.once(ctx, m)
		if err != nil {
			return err
		}
		after := lim.measure()
		l := before.or(after) // of the same seconds
		before = after
		tokens := d / float64(c.batch)
		read, int8s, floats = append(read, l.read), append(int8s, l.int8), append(floats, l.float)
		prefill, decode = append(prefill, p), append(decode, d)
		prefills = append(prefills, macs*p/(l.int8*1e9))
		decoding = append(decoding, float64(f.PerToken)*tokens/(l.read*1e9))
		withKV = append(withKV, float64(f.PerToken+kv*int64(c.batch))*tokens/(l.read*1e9))
	}
	r.Prefill, r.PrefillSpread = median(prefill)
	r.Decode, r.DecodeSpread = median(decode)
	r.Read, _ = median(read)
	r.Int8, _ = median(int8s)
	r.Float, _ = median(floats)
	r.Prefills, _ = median(prefills)
	r.Decoding, _ = median(decoding)
	r.WithKV, _ = median(withKV)
	r.Resident = resident()
	if c.json {
		return json.NewEncoder(out).Encode(r)
	}
	fmt.Fprintf(out, `%s, %s, %d threads
prompt      %9.1f tokens a second  (%d tokens, spread %.0f %%)   %5.1f %% of the 8-bit peak
generation  %9.1f tokens a second  (%d tokens x %d, spread %.0f %%)  %5.1f %% of the bandwidth
limits      %9.1f GB/s read, %.0f G multiply-adds/s in 8 bits, %.0f in float32
a token     %9s of weights, %s multiply-adds; open to first token %.2f s
resident    %9s
`, r.Model, r.ISA, r.Threads, r.Prefill, r.Prompt, 100*r.PrefillSpread, 100*r.Prefills, r.Decode, r.Decoded, r.Batch, 100*r.DecodeSpread, 100*r.Decoding,
		r.Read, r.Int8, r.Float, cli.Bytes(f.PerToken), cli.Count(f.LayerMACs), r.FirstToken, cli.Bytes(r.Resident))
	return nil
}

// path returns the model's path, making the model first if a shape is asked for.
func (c *config) path(ctx context.Context) (string, error) {
	if c.shape == "" {
		return c.model, nil
	}
	path := filepath.Join(c.dir, fmt.Sprintf("%s-%s-%d.gguf", c.shape, c.typ, c.layers))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return "", err
	}
	bar := cli.NewProgress("making " + filepath.Base(path))
	defer bar.Done()
	return path, cli.WriteFile(path, func(w io.Writer) error {
		return synth.Write(ctx, w, c.shape, c.typ, c.layers, bar.Set)
	})
}

func openModel(path string, c config, opts ...moe.Option) (*moe.Model, error) {
	if c.threads > 0 {
		opts = append(opts, moe.WithThreads(c.threads))
	}
	if c.cache != "" {
		opts = append(opts, moe.WithCache(moe.CacheType(c.cache)))
	}
	if c.load {
		opts = append(opts, moe.WithoutMapping())
	}
	if path == "" {
		return moetest.Tale(opts...)
	}
	return moe.Open(path, opts...)
}

// once measures prompt and generation in tokens a second. The first token after
// the prompt belongs to the prompt.
func (c *config) once(ctx context.Context, m *moe.Model) (prefill, decode float64, err error) {
	ids := tokens(max(c.prompt, c.before), m.Config().Vocab)
	prompt, more := ids[:c.prompt], ids[c.prompt:]
	runtime.GC() // caches lie where those of the repeat before lay, as in a process that has run for a while
	s := m.NewState()
	start := time.Now()
	if _, err := m.Forward(ctx, s, prompt); err != nil {
		return 0, 0, err
	}
	prefill = float64(c.prompt) / time.Since(start).Seconds()
	if len(more) > 0 {
		if _, err := m.Forward(ctx, s, more); err != nil {
			return 0, 0, err
		}
	}
	steps := make([]moe.Step, c.batch)
	for i := range steps {
		steps[i].State = s
		if i > 0 {
			if steps[i].State, err = s.Fork(); err != nil {
				return 0, 0, err
			}
		}
		steps[i].Tokens = make([]int32, 1)
	}
	for n := -1; n < c.generate; n++ { // one untimed, for buffers of the new shape
		if n == 0 {
			start = time.Now()
		}
		for i := range steps {
			steps[i].Tokens[0] = token(n*31+i*101+7, m.Config().Vocab)
		}
		if err := m.ForwardBatch(ctx, steps); err != nil {
			return 0, 0, err
		}
	}
	return prefill, float64(c.generate*c.batch) / time.Since(start).Seconds(), nil
}

// token returns the i-th of tokens that differ.
func token(i, vocab int) int32 { return int32((uint32(i)*7919 + 13) % uint32(vocab)) }

func tokens(n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = token(i, vocab)
	}
	return ids
}

func median(x []float64) (mid, spread float64) {
	sort.Float64s(x)
	mid = x[len(x)/2]
	return mid, (x[len(x)-1] - x[0]) / mid
}
