package moe

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-go/coterie/internal/synth"
	"github.com/stretchr/testify/require"
)

// status reads numbers of /proc/self/status, in bytes.
func status(names ...string) (values []int64) {
	values = make([]int64, len(names))
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return values
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		for i, name := range names {
			if rest, ok := strings.CutPrefix(s.Text(), name+":"); ok {
				fmt.Sscan(rest, &values[i])
				values[i] <<= 10
			}
		}
	}
	return values
}

// TestBudgetMemory runs a model with four times the experts that its budget holds
// in a process of its own, which looks at its resident memory all the while. The
// process's own code, mapped files and stacks count; so does the collector's slack.
func TestBudgetMemory(t *testing.T) {
	if path := os.Getenv("COTERIE_TEST_BUDGET"); path != "" {
		underBudget(t, path)
		return
	}
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("reads /proc, writes a model of 600 MB")
	}
	path := filepath.Join(t.TempDir(), "synthetic.gguf")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, synth.Write(context.Background(), f, "olmoe-1b-7b", "q4_k_m", 2, nil))
	require.NoError(t, f.Close())
	child := exec.Command(os.Args[0], "-test.run=^TestBudgetMemory$", "-test.v")
	child.Env = append(os.Environ(), "COTERIE_TEST_BUDGET="+path)
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

func underBudget(t *testing.T, path string) {
	m, err := Open(path)
	require.NoError(t, err)
	f := m.Footprint()
	require.NoError(t, m.Close())
	budget := f.Routed / 4
	// The caches of the states count as nothing here, which is stricter than promised.
	promise := budget + f.Total - f.Routed + Allowance

	stop, done := make(chan struct{}), make(chan [3]int64)
	go func() {
		var most [3]int64 // all, anonymous, of files
		for n := 0; ; n++ {
			now := status("VmRSS", "RssAnon", "RssFile")
			if now[0] > promise && most[0] <= promise {
				t.Errorf("sample %d: %d MB resident (%d anonymous, %d of files), promised %d", n, now[0]>>20, now[1]>>20, now[2]>>20, promise>>20)
			}
			if now[0] > most[0] {
				most = [3]int64(now)
			}
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()

	ctx := context.Background()
	m, err = Open(path, WithExpertBudget(budget))
	require.NoError(t, err)
	run := func(s *State, prompt, tokens int) {
		ids := make([]int32, prompt)
		for i := range ids {
			ids[i] = int32((i*7919 + tokens) % m.cfg.Vocab)
		}
		logits, err := m.Forward(ctx, s, ids)
		for i := 0; i < tokens && err == nil; i++ {
			logits, err = m.Forward(ctx, s, []int32{(argmax(logits) + int32(i)*104729) % int32(m.cfg.Vocab)})
		}
		if err != nil {
			t.Error(err)
		}
	}
	run(m.NewState(), 2*m.opts.chunk+20, 8) // a prompt of several chunks, and generation
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() { run(m.NewState(), 20+g, 4) })
	}
	wg.Wait()
	x := m.ExpertMetrics()
	require.LessOrEqual(t, x.Used, x.Budget)
	sum, _ := x.Total()
	require.Greater(t, int64(sum.Bytes), 2*f.Routed, "experts came and went")
	close(stop)
	most := <-done
	t.Logf("budget %d MB, dense %d MB, promised %d MB; at most %d MB resident, %d anonymous, %d of files; chunks of %d",
		budget>>20, (f.Total-f.Routed)>>20, promise>>20, most[0]>>20, most[1]>>20, most[2]>>20, m.opts.chunk)
	require.Positive(t, most[0])
	require.NoError(t, m.Close())
}
