package moe

import (
	"testing"
	"testing/fstest"

	"github.com/coterie-go/coterie/expert"
	"github.com/stretchr/testify/require"
)

func TestAvailableMemory(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	system := file("MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    800 kB\n")
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  int64
		bound string
	}{
		{"system alone", fstest.MapFS{"proc/meminfo": system}, 800 << 10, "system"},
		{"version 2, the parent limits", fstest.MapFS{
			"proc/meminfo":                       system,
			"proc/self/cgroup":                   file("0::/a/b\n"),
			"sys/fs/cgroup/a/b/memory.max":       file("max\n"),
			"sys/fs/cgroup/a/b/memory.current":   file("5000\n"),
			"sys/fs/cgroup/a/memory.max":         file("300000\n"),
			"sys/fs/cgroup/a/memory.current":     file("100000\n"),
			"sys/fs/cgroup/a/memory.stat":        file("anon 1\ninactive_file 50000\nactive_file 7\n"),
			"sys/fs/cgroup/memory.pressure":      file(""),
			"sys/fs/cgroup/a/b/memory.swap.max":  file("0"),
			"sys/fs/cgroup/a/b/memory.stat":      file("inactive_file 1\n"),
			"sys/fs/cgroup/a/memory.swap.events": file(""),
		}, 250000, "control group /a"},
		{"version 1 in a container", fstest.MapFS{
			"proc/meminfo":     system,
			"proc/self/cgroup": file("4:memory:/docker/abc\n1:cpu:/x\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("400000\n"),
			"sys/fs/cgroup/memory/memory.usage_in_bytes": file("100000\n"),
			"sys/fs/cgroup/memory/memory.stat":           file("inactive_file 3\ntotal_inactive_file 20000\n"),
		}, 320000, "control group /"},
		{"version 1 without a limit", fstest.MapFS{
			"proc/meminfo":     system,
			"proc/self/cgroup": file("4:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n"),
			"sys/fs/cgroup/memory/memory.usage_in_bytes": file("100000\n"),
		}, 800 << 10, "system"},
		{"over its limit", fstest.MapFS{
			"proc/meminfo":                 system,
			"proc/self/cgroup":             file("0::/\n"),
			"sys/fs/cgroup/memory.max":     file("1000"),
			"sys/fs/cgroup/memory.current": file("2000"),
		}, 0, "control group /"},
	} {
		got, bound, err := availableMemory(c.files)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.bound, bound, c.name)
	}
	_, _, err := availableMemory(fstest.MapFS{})
	require.ErrorIs(t, err, ErrMemory)
}

func TestPlan(t *testing.T) {
	p, err := Plan(smallModel, 1<<40)
	require.NoError(t, err)
	require.Zero(t, p.Budget, "everything fits")
	require.Zero(t, p.FromFile)
	require.Positive(t, p.Speed)
	require.Equal(t, leastBudget(t, smallModel), p.Minimum)
	m, err := Open(smallModel)
	require.NoError(t, err)
	f := m.Footprint()
	caches := f.CachePerToken * int64(min(m.cfg.Context, PlanContext))
	require.NoError(t, m.Close())
	require.Equal(t, f.Total, p.Experts+p.Dense)

	// Half of the experts.
	memory := (p.Dense + caches + Allowance + p.Experts/2) * 10 / 9
	p, err = Plan(smallModel, memory)
	require.NoError(t, err)
	require.InDelta(t, p.Experts/2, p.Budget, 100)
	require.InDelta(t, float64(p.Experts)*4/16/2, p.FromFile, 1000, "half of 4 in 16")
	m, err = Open(smallModel, WithExpertBudget(p.Budget))
	require.NoError(t, err)
	require.NoError(t, m.Close())

	_, err = Plan(smallModel, p.Dense+Allowance)
	require.ErrorIs(t, err, ErrMemory)
	_, err = Plan("nothing.gguf", 0)
	require.ErrorIs(t, err, ErrFormat)
}

func TestAutoBudget(t *testing.T) {
	m, err := Open(smallModel, WithAutoBudget())
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, expert.Metrics{}, m.ExpertMetrics(), "a model of 10 MB fits")
}
