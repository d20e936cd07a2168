package grammar

import (
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, src string
		yes, no   []string
	}{
		{"text", `root ::= "a\"b\n" # comment`, []string{"a\"b\n"}, []string{"", "a", "a\"b\n."}},
		{"alternatives", "root ::= \"a\" | \"b\" (\"c\" |\n \"d\")", []string{"a", "bc", "bd"}, []string{"b", "ac", "bcd"}},
		{"class", `root ::= [a-cx\]\-é日]+`, []string{"abcx]-é日"}, []string{"d", "", "\xc3"}},
		{"inverted", `root ::= [^"\\]*`, []string{"", "aé日🦊\x00"}, []string{`"`, `\`, "\xff", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80"}},
		{"any", `root ::= . . .?`, []string{"a🦊", "日本語"}, []string{"a", "abcd"}},
		{"repeated", `root ::= "a"{2} "b"{1,3} "c"{2,} "d"? "e"*`, []string{"aabcc", "aabbbccccdee"}, []string{"abcc", "aabbbbcc", "aabc"}},
		{"nothing", `root ::= "" | "a"`, []string{"", "a"}, []string{"b"}},
		{"rules", "# first\n\nroot ::= expr\nexpr ::= term ([+-] term)*\nterm ::= num | \"(\" expr \")\"\nnum ::= [0-9]+\n", []string{"1", "1+2-(3+(45))"}, []string{"1+", "(1", "1+2)"}},
		{"nested", `root ::= "(" root ")" | ""`, []string{"", "((()))"}, []string{"(()", "())"}},
		{"empty rules", "root ::= a b \"x\"\na ::= \"\" | \"y\"\nb ::= a", []string{"x", "yx", "yyx"}, []string{"yyyx"}},
		{"escapes", `root ::= "\x41\u00e9\U0001F98A\t"`, []string{"Aé🦊\t"}, nil},
		{"empty loops", `root ::= ("a"* )* "b"`, []string{"b", "aaab"}, []string{"a"}},
	} {
		g, err := Parse(c.src)
		require.NoError(t, err, c.name)
		for _, s := range c.yes {
			require.True(t, g.Match(s), "%s: %q", c.name, s)
		}
		for _, s := range c.no {
			require.False(t, g.Match(s), "%s: %q", c.name, s)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for src, say := range map[string]string{
		"":                               "no rule named root",
		"a ::= \"x\"":                    "no rule named root",
		"root = \"x\"":                   "want \"::=\"",
		"root ::= \"x":                   "without an end",
		"root ::= [a":                    "without an end",
		"root ::= [z-a]":                 "class",
		"root ::= (\"a\"":                "want \")\"",
		"root ::= \"a\")":                "end of the line",
		"root ::= \"\\q\"":               "escape",
		"root ::= \"a\"{3,1}":            "repetition",
		"root ::= \"a\"{x}":              "repetition",
		"root ::= \"a\"{1":               "repetition",
		"root ::= \"a\"{99999999}":       "at most",
		"root ::= nowhere":               "no rule named nowhere",
		"root ::= \"a\"\nroot ::= \"b\"": "line 2: rule root is there twice",
		"root ::= root \"a\" | \"b\"":    "calls itself",
		"root ::= a root \"b\" | \"c\"\na ::= \"x\"?": "calls itself",
		"root ::= \"a\" root":                         "no finite text",
		"root ::= \"\xff\"":                           "not UTF-8",
		"root ::= " + strings.Repeat("(", 1000):       "nested",
		"root ::= ((([a]{1000}){1000}){1000})":        "states",
	} {
		_, err := Parse(src)
		require.ErrorIs(t, err, ErrGrammar, src)
		require.ErrorContains(t, err, say, src)
	}
}

// Each span of characters is matched by exactly its characters' UTF-8.
func TestClass(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	edges := []rune{0, 1, 0x7f, 0x80, 0xbf, 0xc0, 0x7ff, 0x800, 0xfff, 0x1000, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff, 0x3ffff, 0x40000}
	pick := func() rune {
		if rng.IntN(2) == 0 {
			return edges[rng.IntN(len(edges))]
		}
		return rune(rng.IntN(0x110000 >> rng.IntN(14)))
	}
	for range 300 {
		lo, hi := pick(), pick()
		if lo > hi {
			lo, hi = hi, lo
		}
		g, err := compile(map[string]expr{"root": class{{lo, hi}}}, []string{"root"})
		if lo >= 0xd800 && hi < 0xe000 {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		for _, r := range append([]rune{lo, hi, lo - 1, hi + 1, pick(), pick(), (lo + hi) / 2}, edges...) {
			if r < 0 || r > 0x10ffff || r >= 0xd800 && r < 0xe000 {
				continue
			}
			require.Equal(t, lo <= r && r <= hi, g.Match(string(r)), "%x in %x to %x", r, lo, hi)
		}
	}
}

// A grammar agrees with a regular expression of the same language, on texts over
// few letters, and a constraint with the grammar: every token it allows can be
// continued, and none that it forbids.
func TestConstraint(t *testing.T) {
	tok, v := testVocabulary(t)
	const src = "root ::= item (\",\" item)* \".\"?\nitem ::= \"[\" root? \"]\" | \"0.5\" | \"10\" | [a-e]{1,3}"
	g, err := Parse(src)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		c := g.Constrain(v, 40)
		text, _, whole := babble(t, tok, c, rng, 40)
		require.True(t, whole)
		require.True(t, g.Match(text), text)
	}
	// At each step exactly the tokens that the grammar can go on with are allowed.
	c := g.Constrain(v, 0)
	var ids []int32
	logits := make([]float32, tok.VocabSize())
	for range 30 {
		clear(logits)
		require.NoError(t, c.Hook(ids, logits))
		var open []int32
		for id := range int32(len(logits)) {
			x := c.at
			p, err := tok.Piece(id)
			require.NoError(t, err)
			for i := 0; i < len(p) && x != nil; i++ {
				x = c.m.read(x, p[i])
			}
			want := x != nil && !tok.Special(id)
			if tok.EOG(id) {
				want = c.Done()
			}
			require.Equal(t, want, !math.IsInf(float64(logits[id]), -1), "%q", p)
			if want && !tok.EOG(id) {
				open = append(open, id)
			}
		}
		if len(open) == 0 { // the text is over: begin another
			c, ids = g.Constrain(v, 0), nil
			continue
		}
		ids = append(ids, open[rng.IntN(len(open))])
	}
}

func TestAgainstRegexp(t *testing.T) {
	g, err := Parse(`root ::= ("ab" | "a" [bc]* | "c"+ "a"?){0,3} "b"?`)
	require.NoError(t, err)
	re := regexp.MustCompile(`^(?:(?:ab|a[bc]*|c+a?){0,3}b?)$`)
	for n := range 8 {
		total := int(math.Pow(3, float64(n)))
		for k := range total {
			var b strings.Builder
			for range n {
				b.WriteByte("abc"[k%3])
				k /= 3
			}
			require.Equal(t, re.MatchString(b.String()), g.Match(b.String()), b.String())
		}
	}
}

func TestHookErrors(t *testing.T) {
	tok, v := testVocabulary(t)
	g, err := Parse(`root ::= "true"`)
	require.NoError(t, err)
	logits := make([]float32, tok.VocabSize())
	a, _ := tok.ID("a")
	require.ErrorIs(t, g.Constrain(v, 0).Hook([]int32{a}, logits), ErrText)
	require.ErrorIs(t, g.Constrain(v, 0).Hook([]int32{9999}, logits), ErrText)
	c := g.Constrain(v, 0)
	whole, _ := tok.ID("true")
	require.NoError(t, c.Hook([]int32{whole}, logits))
	require.True(t, c.Done())
	require.ErrorIs(t, c.Hook(nil, logits), ErrText)
}

// What was met before does not matter: a long text goes through more sets than are
// kept.
func TestForget(t *testing.T) {
	tok, v := testVocabulary(t)
	g, err := Parse(`root ::= "[" root* "]"`)
	require.NoError(t, err)
	c := g.Constrain(v, 0)
	open, _ := tok.ID("[")
	end, _ := tok.ID("]")
	var ids []int32
	logits := make([]float32, tok.VocabSize())
	for range 400 {
		ids = append(ids, open)
	}
	for i := range 400 {
		require.NoError(t, c.Hook(ids, logits))
		require.False(t, c.Done())
		if i%50 == 0 {
			c.forget()
		}
		ids = append(ids, end)
	}
	require.NoError(t, c.Hook(ids, logits))
	require.True(t, c.Done())
}

func FuzzParse(f *testing.F) {
	f.Add("root ::= (\"a\" | [^b-c]){1,3} x?\nx ::= . root*")
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 2048 || strings.Contains(src, "{") {
			return
		}
		if g, err := Parse(src); err == nil {
			g.Match("aab[x]")
		}
	})
}
