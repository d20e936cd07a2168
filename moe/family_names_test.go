package moe

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFamilyNames holds the rule that a family is data: outside its own file no
// code names an architecture, so that none can branch on one. Comments may say
// which model a formula comes from. Text in quotes counts where a name of an
// architecture is a word of it, identifiers where they are a family of the table.
func TestFamilyNames(t *testing.T) {
	names := map[string]bool{}
	for _, f := range families() {
		for _, n := range append(append([]string{f.name}, f.hub...), f.gguf...) {
			names[n] = true
		}
	}
	vars := familyVars(t)
	require.GreaterOrEqual(t, len(vars), len(families()))
	exempt := map[string]bool{
		"export_tokenizer.go": true, // llama.cpp's names of ways to cut text, which are like those of architectures
	}
	files := 0
	for _, dir := range []string{".", "../router", "../expert", "../tensor", "../kernels"} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, path := range paths {
			base := filepath.Base(path)
			if strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, "family_") || exempt[base] {
				continue
			}
			files++
			tokens(t, path, func(line int, tok token.Token, text string) {
				switch tok {
				case token.STRING:
					s, err := strconv.Unquote(text)
					require.NoError(t, err)
					for _, w := range strings.FieldsFunc(s, betweenWords) {
						assert.False(t, names[strings.Trim(w, ".-")], "%s:%d: %q names the architecture %s", path, line, s, w)
					}
				case token.IDENT:
					if dir == "." && base != "family.go" { // the table
						assert.False(t, vars[text], "%s:%d: the family %s", path, line, text)
					}
				}
			})
		}
	}
	require.Greater(t, files, 50)
}

// betweenWords: a word may hold the marks that names of architectures have.
func betweenWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.", r)
}

// familyVars returns the variables that hold families.
func familyVars(t *testing.T) map[string]bool {
	paths, err := filepath.Glob("family_*.go")
	require.NoError(t, err)
	vars := map[string]bool{}
	for _, path := range paths {
		var last [3]string // var x = family
		tokens(t, path, func(_ int, tok token.Token, text string) {
			if tok == token.IDENT && text == "family" && last[0] == "var" {
				vars[last[1]] = true
			}
			if text == "" {
				text = tok.String()
			}
			last = [3]string{last[1], last[2], text}
		})
	}
	return vars
}

func tokens(t *testing.T, path string, visit func(line int, tok token.Token, text string)) {
	src, err := os.ReadFile(path)
	require.NoError(t, err)
	fset := token.NewFileSet()
	file := fset.AddFile(path, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			break
		}
		visit(file.Line(pos), tok, text)
	}
	require.Zero(t, s.ErrorCount, path)
}
