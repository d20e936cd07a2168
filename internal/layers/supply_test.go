package layers

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// texts are what a licence's text says, spaces made one; all of them permit use in a
// program of any licence.
var texts = map[string]string{
	"MIT":        "Permission is hereby granted, free of charge, to any person obtaining a copy",
	"BSD-3":      "Neither the name of", // after the two clauses of BSD-2
	"Apache-2.0": "Apache License Version 2.0",
}

// TestLicences: README's table names every module that go.mod requires, no other,
// and the licences that the modules' own files state; and no more than two of them
// are in a program that uses the library.
func TestLicences(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(readme), "| dependency | licence | what for |")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")

	rows := strings.Count(strings.TrimSpace(table), "\n") // and the rule
	seen := map[int]bool{}
	for _, m := range required(t) {
		row := slices.IndexFunc(strings.Split(table, "\n"), func(line string) bool {
			for i, cell := range strings.Split(line, "`") {
				if i%2 == 1 && (strings.Contains(m.Path+"/", "/"+cell+"/") || strings.HasPrefix(m.Path+"/", cell+"/")) {
					return true
				}
			}
			return false
		})
		require.GreaterOrEqual(t, row, 0, "README does not name %s", m.Path)
		seen[row] = true
		files, err := filepath.Glob(filepath.Join(m.Dir, "LICENSE*"))
		require.NoError(t, err)
		require.NotEmpty(t, files, "%s has no licence, or is not downloaded", m.Path)
		text, err := os.ReadFile(files[0])
		require.NoError(t, err)
		stated := 0
		for name, words := range texts {
			if strings.Contains(strings.Join(strings.Fields(string(text)), " "), words) {
				stated++
				require.Contains(t, strings.Split(table, "\n")[row], name, m.Path)
			}
		}
		require.NotZero(t, stated, "%s: a licence that is not known to be compatible", m.Path)
	}
	require.Len(t, seen, rows, "README names a module that is not required")

	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", module+"/moe/...").Output()
	require.NoError(t, err)
	linked := strings.Fields(string(out))
	slices.Sort(linked)
	require.Equal(t, []string{module, "github.com/klauspost/cpuid/v2", "golang.org/x/sys"}, slices.Compact(linked))
}

type dependency struct{ Path, Dir string }

// required lists the modules that go.mod names.
func required(t *testing.T) (list []dependency) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct{ Require []struct{ Path string } }
	require.NoError(t, json.Unmarshal(out, &mod))
	args := []string{"list", "-m", "-json"}
	for _, r := range mod.Require {
		args = append(args, r.Path)
	}
	cmd = exec.Command("go", args...)
	cmd.Dir = "../.."
	out, err = cmd.Output()
	require.NoError(t, err)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var m dependency
		if err := d.Decode(&m); err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list = append(list, m)
	}
}
