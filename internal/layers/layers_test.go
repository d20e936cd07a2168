// Package layers holds the arrows between the packages: what may import what.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/coterie-go/coterie"

// arrows lists, for each package, which of ours it may import. "x/..." is x and
// all below it. The first row that fits a package counts. Tests are free to
// look sideways, but for the last rule of TestArrows.
var arrows = []struct {
	pkg string
	may []string
}{
	{"examples/...", []string{"..."}},
	{"moe/tokenizer/...", []string{"moe/tokenizer/..."}},
	{"moe/moetest/...", []string{"moe", "moe/moetest/...", "moe/tokenizer", "router", "expert", "tensor", "quant", "kernels", "internal/..."}},
	{"moe/chat/...", []string{"moe", "moe/tokenizer", "moe/chat/internal/jinja"}},
	{"moe/...", []string{"moe/tokenizer", "router", "expert", "tensor", "quant", "kernels", "internal/..."}},
	{"router", []string{"tensor", "quant", "kernels"}},
	{"expert", []string{"tensor", "quant", "kernels", "internal/mmap", "internal/par"}},
	{"tensor", []string{"quant", "kernels", "internal/par"}},
	{"quant", []string{"kernels"}},
	{"kernels", nil},
	{"internal/gguf", []string{"internal/mmap", "quant"}},
	{"internal/safetensors", []string{"internal/mmap", "quant"}},
	{"internal/mmap", nil},
	{"internal/par", []string{"kernels"}},
	{"internal/layers", nil},
	{"internal/api", nil},
	{"internal/synth", []string{"internal/gguf", "quant"}},
	{"internal/cli", []string{"moe", "moe/tokenizer"}}, // what the examples share
	{"internal/testkit", nil},                          // a package for tests: see TestDependencies
}

// outside lists what the library may import from other modules. Tests may use
// anything that go.mod has.
var outside = []string{"github.com/klauspost/cpuid/v2", "golang.org/x/sys/..."}

func fits(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	below, ok := strings.CutSuffix(pattern, "/...")
	return pkg == below || ok && strings.HasPrefix(pkg, below+"/")
}

func fitsAny(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if fits(p, pkg) {
			return true
		}
	}
	return false
}

// allowed says whether pkg may import another of ours, and whether the table
// knows pkg at all.
func allowed(pkg, imported string) (ok, known bool) {
	for _, row := range arrows {
		if fits(row.pkg, pkg) {
			return fitsAny(row.may, imported), true
		}
	}
	return false, false
}

type source struct {
	path    string // slash-separated, from the root
	pkg     string // its directory
	test    bool
	imports []string
	tree    *ast.File
}

// sources parses every Go file of the module, whatever its build tags. Nested
// modules are modules of their own.
func sources(t *testing.T) []source {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	var all []source
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			hidden := strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") || d.Name() == "testdata"
			if rel != "." && (err == nil || hidden) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		s := source{path: rel, pkg: ".", test: strings.HasSuffix(rel, "_test.go"), tree: tree}
		if i := strings.LastIndexByte(rel, '/'); i >= 0 {
			s.pkg = rel[:i]
		}
		for _, spec := range tree.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		all = append(all, s)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func TestArrows(t *testing.T) {
	for _, s := range sources(t) {
		if _, known := allowed(s.pkg, ""); !known {
			t.Errorf("%s: package %s has no row in the table of arrows", s.path, s.pkg)
			continue
		}
		for _, name := range s.imports {
			if name != module && !strings.HasPrefix(name, module+"/") {
				continue
			}
			to := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
			if ok, _ := allowed(s.pkg, to); !ok && !s.test {
				t.Errorf("%s: %s must not import %s", s.path, s.pkg, to)
			}
			if s.pkg == "router" && to == "expert" || s.pkg == "expert" && to == "router" {
				t.Errorf("%s: router and expert never import each other, in tests neither", s.path)
			}
		}
	}
}

func TestDependencies(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range s.imports {
			first, _, _ := strings.Cut(name, "/")
			ours := strings.HasPrefix(name, module)
			switch {
			case name == "C":
				t.Errorf("%s: no cgo", s.path)
			case s.test || s.pkg == "internal/testkit":
			case name == module+"/internal/testkit" || name == "testing" && s.pkg != "moe/moetest":
				t.Errorf("%s: %s is for tests", s.path, name)
			case !ours && strings.Contains(first, ".") && !fitsAny(outside, name):
				t.Errorf("%s: %s is not a dependency of the library", s.path, name)
			}
		}
	}
}

// Importing a package does nothing. Only kernels, which picks its table once,
// might have a reason.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "kernels" {
			continue
		}
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init, expected none outside kernels", s.path)
			}
		}
	}
}

// unsafePlaces lists where the library imports unsafe, and why. A place that is not
// here is a place that nobody has looked at.
var unsafePlaces = map[string]string{
	"kernels":          "assembly takes addresses; vectors are read from bytes",
	"internal/mmap":    "mappings have addresses, by which a fault is told from a bug",
	"internal/testkit": "guard pages, for tests alone",
	"moe/cache_q8.go":  "an expanded cache row is handed to kernels as the bytes they take",
}

// TestUnsafe: unsafe, and the linker's back doors, only where the list says; and
// the list names no place that has none.
func TestUnsafe(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, name := range s.imports {
			if name != "unsafe" || s.test {
				continue
			}
			place := s.path
			if _, ok := unsafePlaces[place]; !ok {
				place = s.pkg
			}
			if _, ok := unsafePlaces[place]; !ok {
				t.Errorf("%s: unsafe, want it only in the places listed", s.path)
			}
			used[place] = true
		}
		for _, group := range s.tree.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname") {
					t.Errorf("%s: %s", s.path, c.Text)
				}
			}
		}
	}
	for place := range unsafePlaces {
		if !used[place] {
			t.Errorf("%s is listed and does without unsafe", place)
		}
	}
}

// The table itself, checked by hand: a table that allows everything would make
// the tests above worthless.
func TestTable(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"examples/generate", "moe", true},
		{"examples/generate", "internal/gguf", true},
		{"moe", "router", true},
		{"moe", "expert", true},
		{"moe", "moe/tokenizer", true},
		{"moe", "moe/moetest", false},
		{"moe", "examples/generate", false},
		{"moe/moetest", "moe", true},
		{"moe/tokenizer", "moe", false},
		{"moe/tokenizer", "internal/gguf", false},
		{"router", "expert", false},
		{"expert", "router", false},
		{"expert", "internal/gguf", false},
		{"expert", "internal/mmap", true},
		{"tensor", "router", false},
		{"tensor", "internal/mmap", false},
		{"quant", "tensor", false},
		{"quant", "kernels", true},
		{"kernels", "quant", false},
		{"kernels", "internal/par", false},
		{"internal/gguf", "internal/mmap", true},
		{"internal/gguf", "internal/safetensors", false},
		{"internal/mmap", "quant", false},
	} {
		ok, known := allowed(c.from, c.to)
		require.True(t, known, c.from)
		require.Equal(t, c.ok, ok, "%s -> %s", c.from, c.to)
	}
	for _, pkg := range []string{"elsewhere", "internal/elsewhere", "."} { // the root holds no Go code
		_, known := allowed(pkg, "moe")
		require.False(t, known, pkg)
	}
	require.True(t, fits("a/...", "a"))
	require.True(t, fits("a/...", "a/b"))
	require.False(t, fits("a/...", "ab"))
	require.False(t, fits("a", "a/b"))
}
