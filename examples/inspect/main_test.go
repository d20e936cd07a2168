package main

import (
	"bytes"
	"strings"
	"testing"
)

// From the configuration alone: what its makers say of DeepSeek-R1.
func TestInspectConfig(t *testing.T) {
	var b bytes.Buffer
	if err := inspect(&b, "../../moe/testdata/configs/deepseek-r1.json"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"671 B in all", "5.5 %", "256 of width 2048, 8 chosen", "128 heads share 512 + 64"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\ndoes not say %q", b.String(), want)
		}
	}
}

func TestInspectModel(t *testing.T) {
	var b bytes.Buffer
	if err := inspect(&b, "../../moe/testdata/golden/gguf/deepseek-v3.gguf"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"deepseek-v3", "on disk", "resident", "a token"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\ndoes not say %q", b.String(), want)
		}
	}
	if err := inspect(&b, "nothing.gguf"); err == nil {
		t.Error("a file that is not there was described")
	}
}
