// Command asm generates the amd64 assembly of package kernels: a file of
// assembly and a file of Go declarations for each stem. Run it here:
//
//	go run .
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// stem is one kernel in all its forms: _asm/<name>.go generates
// <name>_amd64.s and <name>_stub_amd64.go.
type stem struct {
	name string
	gen  func(c *build.Context)
}

var stems = append([]stem{
	{"attend", attend},
	{"convert", convert},
	{"delta_net", deltaNet},
	{"limits", limits},
	{"mul_float", mulFloat},
	{"mul_t", mulT},
	{"quantize", quantize},
	{"rotate", rotate},
	{"softmax", softmax},
	{"swiglu", swiglu},
	{"values", values},
	{"vector", vector},
}, tileStems()...)

// highRegister is a register that AVX2 lacks.
var highRegister = regexp.MustCompile(`\b[XY](1[6-9]|2[0-9]|3[01])\b`)

// checkAVX2 finds functions for AVX2 that need more registers than AVX2 has: the
// assembler would take an encoding of AVX-512 for them and say nothing.
func checkAVX2(asm []byte) error {
	var fn string
	for line := range strings.Lines(string(asm)) {
		if strings.HasPrefix(line, "TEXT") {
			fn, _, _ = strings.Cut(line, "(")
		}
		if strings.HasSuffix(fn, "AVX2") && highRegister.MatchString(line) {
			return fmt.Errorf("%s: register beyond AVX2: %s", fn, line)
		}
	}
	return nil
}

func main() {
	log.SetFlags(0)
	for _, s := range stems {
		files, err := s.generate()
		if err != nil {
			log.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join("..", name), text, 0o644); err != nil {
				log.Fatal(err)
			}
		}
	}
}

// generate returns the stem's files by name.
func (s stem) generate() (map[string][]byte, error) {
	c := build.NewContext()
	c.ConstraintExpr("!purego")
	s.gen(c)
	f, err := c.Result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	cfg := printer.Config{Name: "go run . in kernels/_asm", Argv: nil, Pkg: "kernels"}
	asm, err := printer.NewGoAsm(cfg).Print(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := checkAVX2(asm); err != nil {
		return nil, err
	}
	stub, err := printer.NewStubs(cfg).Print(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return map[string][]byte{
		s.name + "_amd64.s":       append(bytes.TrimSpace(asm), '\n'),
		s.name + "_stub_amd64.go": stub,
	}, nil
}
