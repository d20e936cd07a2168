package api

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write api.txt anew")

// public are the packages whose surface is promised.
var public = []string{
	"moe", "moe/chat", "moe/grammar", "moe/moetest", "moe/tokenizer",
	"router", "expert", "tensor", "quant", "kernels",
}

// TestSurface compares what the packages export with api.txt. A line that is gone
// or changed breaks somebody's program; a new one is a promise. Either is accepted
// by
//
//	go test ./internal/api -update
//
// and shows in the change under review.
func TestSurface(t *testing.T) {
	var found []string
	for _, pkg := range public {
		lines, err := surface(filepath.Join("..", "..", pkg), pkg)
		require.NoError(t, err)
		require.NotEmpty(t, lines, pkg)
		found = append(found, lines...)
	}
	if *update {
		require.NoError(t, os.WriteFile("api.txt", []byte(strings.Join(found, "\n")+"\n"), 0o644))
		return
	}
	data, err := os.ReadFile("api.txt")
	require.NoError(t, err)
	promised := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, line := range promised {
		if !slices.Contains(found, line) {
			t.Errorf("gone: %s", line)
		}
	}
	for _, line := range found {
		if !slices.Contains(promised, line) {
			t.Errorf("new: %s", line)
		}
	}
}

// TestListed: no public package is forgotten.
func TestListed(t *testing.T) {
	for _, top := range []string{"moe", "moe/*", "router", "router/*", "expert", "expert/*", "tensor", "tensor/*", "quant", "quant/*", "kernels", "kernels/*"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(top), "*.go"))
		require.NoError(t, err)
		for _, f := range files {
			rel, err := filepath.Rel(filepath.Join("..", ".."), filepath.Dir(f))
			require.NoError(t, err)
			pkg := filepath.ToSlash(rel)
			hidden := strings.Contains(pkg, "internal") || strings.Contains(pkg, "/_")
			if !hidden && !slices.Contains(public, pkg) {
				t.Errorf("%s is public and not in the list", pkg)
			}
		}
	}
}

// TestLines checks the listing by hand on a small package.
func TestLines(t *testing.T) {
	dir := t.TempDir()
	src := `package p

type A struct {
	X, Y int
	z    func()
	B
	*hidden
}
type B[T any] []T
type C interface {
	M(a, b int) (n int, err error)
	Stringer
	m()
}
type D = A
type hidden struct{ H int }

const (
	E D2 = iota
	F
	g
)
const H = 3
var V, w = 1, 2

func Fn[T any](dst []T, f func(a, b int) bool, more ...string) (ok bool) { return }
func fn() {}
func (a *A) M() {}
func (h hidden) N() {}
func (b B[T]) O() int { return 0 }
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(src), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p_windows.go"), []byte("package p\nfunc Windows() {}\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p_test.go"), []byte("package p\nfunc Test() {}\n"), 0o644))
	got, err := surface(dir, "p")
	require.NoError(t, err)
	require.Equal(t, []string{
		"pkg p, const E D2 = iota",
		"pkg p, const F D2",
		"pkg p, const H = 3",
		"pkg p, func Fn[T any]([]T, func(int, int) bool, ...string) bool",
		"pkg p, method (*A) M()",
		"pkg p, method (B[T]) O() int",
		"pkg p, type A struct",
		"pkg p, type A struct, X int",
		"pkg p, type A struct, Y int",
		"pkg p, type A struct, embedded B",
		"pkg p, type B[T any] []T",
		"pkg p, type C interface",
		"pkg p, type C interface, M(int, int) (int, error)",
		"pkg p, type C interface, Stringer",
		"pkg p, type C interface, unexported methods",
		"pkg p, type D = A",
		"pkg p, var V",
	}, got)
}
