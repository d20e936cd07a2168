package tokenizer

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestNFC holds normalisation against Python's unicodedata (Unicode 14.0, whose characters normalise alike in 15.0): testdata/nfc.txt has a
// text and its form C a line, single characters and random mixtures of letters, marks, Hangul and what composes across scripts.
func TestNFC(t *testing.T) {
	f, err := os.Open("testdata/nfc.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := newNFC(newClasses())
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var in, want string
		d := json.NewDecoder(strings.NewReader(s.Text()))
		if err := d.Decode(&in); err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := n.normalize(in); got != want {
			t.Errorf("%+q becomes %+q, want %+q", in, got, want)
		}
	}
	if lines < 1000 {
		t.Errorf("%d lines", lines)
	}
}

func TestNFCKeepsBadBytes(t *testing.T) {
	n := newNFC(newClasses())
	const s = "\xff\u0301a\xc3\u0301\xe0\x80e\u0301\xff"
	if got, want := n.normalize(s), "\xff\u0301a\xc3\u0301\xe0\x80é\xff"; got != want {
		t.Errorf("%+q becomes %+q, want %+q", s, got, want)
	}
}

func FuzzNFC(f *testing.F) {
	n := newNFC(newClasses())
	f.Add("e\u0301\u0327 \uac00\u11a8 \u1100\u1161\u11a8 \xff\u0301")
	f.Fuzz(func(t *testing.T, s string) {
		once := n.normalize(s)
		if twice := n.normalize(once); twice != once {
			t.Errorf("%+q becomes %+q, which becomes %+q", s, once, twice)
		}
		if utf8.ValidString(s) != utf8.ValidString(once) {
			t.Errorf("%+q becomes %+q", s, once)
		}
	})
}
