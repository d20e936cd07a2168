package kernels

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestEveryKernelIsFuzzed: each function of the table has a fuzz target, so that a new
// kernel is not one that only examples have seen.
func TestEveryKernelIsFuzzed(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	sources := strings.ToLower(all.String())
	for _, f := range reflect.VisibleFields(reflect.TypeFor[table]()) {
		if f.Type.Kind() == reflect.Func && !strings.HasPrefix(f.Name, "limit") && // they measure, and return nothing
			!strings.Contains(sources, "func fuzz"+strings.ToLower(f.Name)+"(") {
			t.Errorf("no fuzz target for %s", f.Name)
		}
	}
}
