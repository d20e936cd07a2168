package kernels

import (
	"encoding/binary"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNEONEncodings expands every macro of neon_arm64.h for several operands and
// asks objdump what the words mean: it must be what the macro's comment says.
func TestNEONEncodings(t *testing.T) {
	objdump, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		t.Skip("no aarch64-linux-gnu-objdump (Debian: binutils-aarch64-linux-gnu)")
	}
	header, err := os.ReadFile("neon_arm64.h")
	if err != nil {
		t.Fatal(err)
	}
	macro := regexp.MustCompile(`(?m)^#define (\w+)\((.*?)\) WORD \$(\(.*\)) // (.*)$`)
	if n := strings.Count(string(header), "#define"); n != len(macro.FindAll(header, -1)) {
		t.Fatalf("%d macros, not all of the form that this test reads", n)
	}
	var words []byte
	var want []string
	for _, m := range macro.FindAllStringSubmatch(string(header), -1) {
		name, params, expr, asm := m[1], strings.Split(m[2], ", "), m[3], m[4]
		for _, ops := range [][5]int{{1, 2, 4, 0, 1}, {31, 30, 15, 3, 31}, {16, 8, 1, 2, 7}, {0, 31, 10, 1, 9}} {
			if strings.HasSuffix(name, "_S_H") {
				ops[3] = ops[3]*2 + ops[0]%2
			}
			e, a := expr, asm
			for i, p := range []string{"d", "n", "m", "i", "s"} {
				if !strings.Contains(m[2], p) {
					continue
				}
				e = regexp.MustCompile(`\b`+p+`\b`).ReplaceAllString(e, fmt.Sprint(ops[i]))
				switch p {
				case "i", "s":
					a = strings.NewReplacer("["+p+"]", fmt.Sprintf("[%d]", ops[i]), "#"+p, fmt.Sprintf("#%d", ops[i])).Replace(a)
				default:
					a = regexp.MustCompile(`\b([vsh])`+p+`\b`).ReplaceAllString(a, fmt.Sprintf("${1}%d", ops[i]))
				}
			}
			v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, e)
			if err != nil {
				t.Fatalf("%s(%v): %v", name, params, err)
			}
			w, _ := constant.Uint64Val(v.Value)
			words = binary.LittleEndian.AppendUint32(words, uint32(w))
			want = append(want, a)
		}
	}
	file := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(file, words, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "aarch64", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ *[0-9a-f]+:\t([0-9a-f]{8}) \t(.*)$`)
	got := line.FindAllStringSubmatch(string(out), -1)
	if len(got) != len(want) {
		t.Fatalf("%d words, %d disassembled", len(want), len(got))
	}
	for i, g := range got {
		if text := strings.Join(strings.Fields(g[2]), " "); text != want[i] {
			t.Errorf("%s is %q, want %q", g[1], text, want[i])
		}
	}
}
