package jinja

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	noon   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	limits = Limits{Steps: 1e6, Bytes: 1 << 24}
)

func variables(t testing.TB, data []byte) map[string]any {
	v, err := FromJSON(data)
	require.NoError(t, err)
	vars := map[string]any{}
	d := v.(*Dict)
	for i, k := range d.keys {
		vars[k.(string)] = d.vals[i]
	}
	return vars
}

// What Jinja2 3.1.6, set up as transformers does, makes of each template:
// expressions, statements, filters, tests, white space, and what it refuses.
func TestReference(t *testing.T) {
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	var ref struct {
		Vars  json.RawMessage
		Cases []struct{ Src, Want, Error string }
	}
	require.NoError(t, json.Unmarshal(data, &ref))
	require.Greater(t, len(ref.Cases), 80)
	for _, c := range ref.Cases {
		tm, err := Parse(c.Src)
		out := ""
		if err == nil {
			out, err = tm.Render(context.Background(), variables(t, ref.Vars), noon, limits)
		}
		if c.Error != "" {
			require.Error(t, err, c.Src)
			continue
		}
		require.NoError(t, err, c.Src)
		assert.Equal(t, c.Want, out, c.Src)
	}
}

// What would take a process down ends as an error, soon.
func TestLimits(t *testing.T) {
	for name, src := range map[string]string{
		"recursion":        `{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}`,
		"mutual recursion": `{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}`,
		"range":            `{{ range(10**12)|length }}`,
		"range backwards":  `{{ range(10**12, 0, -1)|length }}`,
		"loops":            strings.Repeat(`{% for i in range(1000) %}`, 5) + strings.Repeat(`{% endfor %}`, 5),
		"doubling":         `{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`,
		"doubling list":    `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`,
		"repeat":           `{{ 'a' * 10**15 }}`,
		"repeat list":      `{{ ([1] * 10**15)|length }}`,
		"repeat nothing":   `{{ ([] * 10**15)|length }}`,
		"replace":          `{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}`,
		"join":             `{{ (['a'] * 10**5)|join('b' * 10**5) }}`,
		"indent":           `{{ ('\n' * 10**6)|indent(1000, true, true) }}`,
		"power":            `{{ 10**10**10 }}`,
		"list in itself":   `{% set l = [] %}{% set _ = l.append(l) %}{{ l }}`,
		"equal to itself":  `{% set l = [] %}{% set _ = l.append(l) %}{% set m = [] %}{% set _ = m.append(m) %}{{ l == m }}`,
		"json of itself":   `{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}`,
		"growing loop":     `{% set l = [1] %}{% for i in range(10**9) %}{% set _ = l.append(l) %}{% endfor %}`,
		"format":           `{{ '%999999999d' % 1 }}`,
		"slices":           `{% for i in range(10**6) %}{% set _ = ('a' * 1000)[::-1] %}{% endfor %}`,
		"output":           `{% for i in range(10**6) %}` + strings.Repeat("x", 1000) + `{% endfor %}`,
		"recursive loop":   `{% set l = [] %}{% set _ = l.append(l) %}{% for x in l recursive %}{{ loop(x) }}{% endfor %}`,
		"caller":           `{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}`,
	} {
		t.Run(name, func(t *testing.T) {
			tm, err := Parse(src)
			require.NoError(t, err)
			start := time.Now()
			_, err = tm.Render(context.Background(), nil, noon, limits)
			require.Error(t, err)
			if name != "power" && name != "format" {
				require.ErrorIs(t, err, ErrLimit)
			}
			require.Less(t, time.Since(start), 5*time.Second)
		})
	}
	for name, src := range map[string]string{
		"expressions": `{{ ` + strings.Repeat("(", 1e5) + ` }}`,
		"not":         `{{ ` + strings.Repeat("not ", 1e5) + `1 }}`,
		"minus":       `{{ ` + strings.Repeat("-", 1e5) + `1 }}`,
		"lists":       `{{ ` + strings.Repeat("[", 1e5) + ` }}`,
		"ifs":         strings.Repeat("{% if 1 %}", 1e4),
		"size":        strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(src)
			require.Error(t, err)
		})
	}
}

func TestCancel(t *testing.T) {
	tm, err := Parse(`{% for i in range(10**6) %}{% for j in range(10**6) %}{% endfor %}{% endfor %}`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = tm.Render(ctx, nil, noon, Limits{math.MaxInt, math.MaxInt})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestErrors(t *testing.T) {
	_, err := Parse("a\n\n{{ x y }}")
	require.ErrorIs(t, err, ErrSyntax)
	require.ErrorContains(t, err, "line 3")
	tm, err := Parse("a\n{{ raise_exception('not so') }}")
	require.NoError(t, err)
	_, err = tm.Render(context.Background(), nil, noon, limits)
	require.ErrorIs(t, err, ErrRaised)
	require.ErrorContains(t, err, "not so")
	tm, err = Parse("a\n{{ 1 + 'a' }}")
	require.NoError(t, err)
	_, err = tm.Render(context.Background(), nil, noon, limits)
	require.ErrorIs(t, err, ErrRender)
	require.ErrorContains(t, err, "line 2")
	require.ErrorContains(t, err, "int + str")
}

// The two allowances beyond the reference that templates in circulation need:
// lists grow, and JSON text is read.
func TestBeyond(t *testing.T) {
	for src, want := range map[string]string{
		`{% set q = [1, 2] %}{% set _ = q.append(3) %}{{ q.pop(0) }}{{ q }}`:   "1[2, 3]",
		`{{ ('{"b": [1, 2.5, null], "a": true}'|from_json).b[1] }}`:            "2.5",
		`{% set d = {'a': 1} %}{% set _ = d.update({'b': 2}) %}{{ d }}`:        "{'a': 1, 'b': 2}",
		`{% set d = {'a': 1, 'b': 2} %}{{ d.pop('a') }}{{ d }}{{ d.b }}`:       "1{'b': 2}2",
		`{% do 1 %}{{ [1].extend([2]) }}{% set l = [1] %}{{ l.insert(0, 5) }}`: "NoneNone",
	} {
		tm, err := Parse(src)
		require.NoError(t, err)
		out, err := tm.Render(context.Background(), nil, noon, limits)
		require.NoError(t, err)
		require.Equal(t, want, out)
	}
}

func FuzzRender(f *testing.F) {
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(f, err)
	var ref struct {
		Vars  json.RawMessage
		Cases []struct{ Src string }
	}
	require.NoError(f, json.Unmarshal(data, &ref))
	for _, c := range ref.Cases {
		f.Add(c.Src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		tm, err := Parse(src)
		if err != nil {
			return
		}
		tm.Render(context.Background(), variables(t, ref.Vars), noon, Limits{1e5, 1 << 22})
	})
}
