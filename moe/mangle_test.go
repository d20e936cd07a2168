package moe_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/chat"
	"github.com/coterie-go/coterie/moe/moetest"
	"github.com/stretchr/testify/require"
)

// mangled calls f with data cut at every byte and with every byte of its first n
// flipped in several ways, every step-th of them. f is told whether it was cut.
func mangled(data []byte, n, step int, f func(at int, cut bool, data []byte)) {
	for i := 0; i < n; i += step {
		f(i, true, data[:i:i])
	}
	for i := 0; i < n; i += step {
		old := data[i]
		for _, x := range []byte{1, 0x10, 0x80, 0xff} {
			data[i] = old ^ x
			f(i, false, data)
		}
		data[i] = old
	}
}

// everyByte is 1 for the long tests; the others look at each n-th byte.
func everyByte(n int) int {
	if long() {
		return 1
	}
	return n
}

// TestMangledFiles cuts every small file of a hub checkpoint, and the list of tensors
// of its weights, at every byte, and flips every byte: an error that wraps one of the
// package's, or a model that runs, and no memory beyond the bound.
func TestMangledFiles(t *testing.T) {
	files := randomFiles(t, "deepseek-v3")
	files["tokenizer_config.json"] = []byte(`{"bos_token":"<bos>","eos_token":{"content":"<eos>"},"chat_template":"{% for m in messages %}{{ m.content }}{% endfor %}"}`)
	files["generation_config.json"] = []byte(`{"bos_token_id":0,"eos_token_id":[1,2]}`)
	for _, c := range []struct {
		name    string
		n, step int
	}{
		{"config.json", len(files["config.json"]), 3},
		{"tokenizer_config.json", len(files["tokenizer_config.json"]), 1},
		{"generation_config.json", len(files["generation_config.json"]), 1},
		{"tokenizer.json", len(files["tokenizer.json"]), 37},
		{"model.safetensors", 8 + int(leUint(files["model.safetensors"])), 41},
	} {
		t.Run(c.name, func(t *testing.T) {
			size := 0
			for _, data := range files {
				size += len(data)
			}
			ran, refused := 0, 0
			mangled(bytes.Clone(files[c.name]), c.n, everyByte(c.step), func(at int, cut bool, data []byte) {
				mine := maps.Clone(files)
				mine[c.name] = data
				from := allocated()
				m, err := moe.OpenFiles(mine, moe.WithThreads(1))
				if took := allocated() - from; took > uint64(4*size+(16<<20)) {
					t.Fatalf("byte %d: %d bytes of memory", at, took)
				}
				if err != nil {
					among(t, err, moe.ErrFormat, moe.ErrFamily, moe.ErrConfig, moe.ErrTensor, moe.ErrNumber)
					refused++
					return
				}
				defer m.Close()
				if cut && (c.name == "config.json" || c.name == "model.safetensors") {
					t.Fatalf("opened with the first %d bytes", at)
				}
				ran++
				among(t, finiteLogits(m.Forward(context.Background(), m.NewState(), []int32{0, 1})), moe.ErrNumber, moe.ErrContext, moe.ErrToken)
				if tok, err := m.Tokenizer(); err == nil {
					tok.Decode(tok.Encode("a <bos> b\xff", true, true), true)
				}
				if tm, err := chat.Parse(m.ChatTemplate()); err == nil {
					tm.Render(context.Background(), chat.Request{Messages: []chat.Message{{Role: "user", Content: "x"}}})
				}
			})
			t.Logf("%d ran, %d refused", ran, refused)
		})
	}
}

func leUint(b []byte) uint64 {
	var n uint64
	for i := range 8 {
		n |= uint64(b[i]) << (8 * i)
	}
	return n
}

// TestMangledGGUF does the same with the header of a GGUF file.
func TestMangledGGUF(t *testing.T) {
	data, err := os.ReadFile("testdata/golden/gguf/deepseek-v3.gguf")
	require.NoError(t, err)
	b := baseGGUF(t, data)
	list := b.regions[tensorList][0]
	ran, refused := 0, 0
	mangled(b.files[b.weights], list.at+list.n, everyByte(29), func(at int, cut bool, data []byte) {
		from := allocated()
		m, err := moe.OpenBytes(data, moe.WithThreads(1))
		if took := allocated() - from; took > uint64(4*b.size()+(16<<20)) {
			t.Fatalf("byte %d: %d bytes of memory", at, took)
		}
		if err != nil {
			among(t, err, moe.ErrFormat, moe.ErrFamily, moe.ErrConfig, moe.ErrTensor, moe.ErrNumber)
			refused++
			return
		}
		defer m.Close()
		if cut {
			t.Fatalf("opened the first %d bytes", at)
		}
		ran++
		among(t, finiteLogits(m.Forward(context.Background(), m.NewState(), []int32{0, 1})), moe.ErrNumber, moe.ErrContext, moe.ErrToken)
		if tok, err := m.Tokenizer(); err == nil {
			tok.Decode(tok.Encode("a b\xff", true, true), true)
		}
	})
	t.Logf("%d ran, %d refused", ran, refused)
}

// TestMangledState cuts a saved state at every byte and flips every byte, with the
// checksum of what it is then, so that all else must be checked as well: an error, or
// a state that can be used.
func TestMangledState(t *testing.T) {
	for _, family := range []string{"gpt-oss", "qwen3-next", "deepseek-v3.2"} {
		t.Run(family, func(t *testing.T) {
			m, err := moetest.Random(family, 1, moe.WithThreads(1))
			require.NoError(t, err)
			defer m.Close()
			s, ctx := m.NewState(), context.Background()
			_, err = m.Forward(ctx, s, []int32{5, 6})
			require.NoError(t, err)
			var file bytes.Buffer
			require.NoError(t, s.Save(&file))
			body := file.Len() - sha256.Size
			used, refused := 0, 0
			mangled(file.Bytes(), body, everyByte(7), func(at int, cut bool, data []byte) {
				if cut {
					sum := sha256.Sum256(data)
					data = append(bytes.Clone(data), sum[:]...)
				} else {
					sum := sha256.Sum256(data[:body])
					copy(data[body:], sum[:])
				}
				from := allocated()
				s, err := m.Restore(bytes.NewReader(data))
				if took := allocated() - from; took > uint64(4*len(data)+(16<<20)) {
					t.Fatalf("byte %d: %d bytes of memory", at, took)
				}
				if err != nil {
					among(t, err, moe.ErrSaved)
					refused++
					return
				}
				if cut {
					t.Fatalf("restored from the first %d bytes", at)
				}
				used++
				among(t, finiteLogits(m.Forward(ctx, s, []int32{1})), moe.ErrNumber)
			})
			t.Logf("%d used, %d refused", used, refused)
			require.Positive(t, used)
			require.Positive(t, refused)
		})
	}
}

// TestMangledTemplate cuts a chat template at every byte and flips every byte.
func TestMangledTemplate(t *testing.T) {
	src := []byte(`{%- set ns = namespace(n=0) -%}{%- macro turn(m) -%}<{{ m['role'] | upper }}>{{ m.content or '' }}{%- endmacro -%}` +
		`{% for m in messages if m.role != 'x' %}{{ turn(m) ~ loop.index }}{% set ns.n = ns.n + 1 %}{% else %}none{% endfor %}` +
		`{% if add_generation_prompt and ns.n is not none %}{{ "<\u0061>" + [1, 2.5, none]|tojson }}{% elif false %}{{ messages[-1:]|length }}{% endif %}`)
	request := chat.Request{Messages: []chat.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}}}
	tm, err := chat.Parse(string(src))
	require.NoError(t, err)
	_, err = tm.Render(context.Background(), request)
	require.NoError(t, err)
	mangled(src, len(src), 1, func(at int, _ bool, data []byte) {
		tm, err := chat.Parse(string(data))
		if err != nil {
			among(t, err, chat.ErrTemplate)
			return
		}
		if _, err = tm.Render(context.Background(), request); err != nil {
			among(t, err, chat.ErrTemplate, chat.ErrRefused, chat.ErrMessage, chat.ErrLimit)
		}
	})
}

// TestTemplateReachesNothing: CVE-2024-34359 and CVE-2026-5760, templates that run
// code by way of what their language's objects lead to. Here there is nothing to lead
// anywhere: each is an error, or writes nothing but names and undefined values.
func TestTemplateReachesNothing(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("found"), 0o644))
	t.Setenv("COTERIE_SECRET", "found")
	for _, src := range []string{
		`{{ ''.__class__.__mro__[1].__subclasses__() }}`,
		`{{ [].__class__.__base__.__subclasses__()[40]('SECRET').read() }}`,
		`{{ cycler.__init__.__globals__.os.popen('cat SECRET').read() }}`,
		`{{ joiner.__init__.__globals__.os.environ }}`,
		`{{ lipsum.__globals__['os'].popen('cat SECRET').read() }}`,
		`{{ namespace.__init__.__globals__.__builtins__.open('SECRET').read() }}`,
		`{{ self.__init__.__globals__.__builtins__.__import__('os').popen('cat SECRET').read() }}`,
		`{{ request.application.__globals__.__builtins__.open('SECRET').read() }}`,
		`{{ config.items() }}`,
		`{{ messages.__class__.__init__.__globals__ }}`,
		`{{ messages|attr('__class__')|attr('__mro__') }}`,
		`{{ messages|map(attribute='__class__')|list }}`,
		`{{ raise_exception.__globals__ }}`,
		`{{ strftime_now.__globals__ }}{{ strftime_now('%Y').__class__ }}`,
		`{{ open('SECRET').read() }}`,
		`{{ range.__self__ }}`,
		`{% include 'SECRET' %}`,
		`{% import 'SECRET' as x %}{{ x }}`,
		`{% from 'SECRET' import x %}{{ x }}`,
		`{% extends 'SECRET' %}`,
		`{{ ''.format.__globals__ }}{{ '{0.__class__}'.format(messages) }}`,
		`{{ '%s' % messages.__class__ }}`,
		`{{ os.environ }}{{ env }}{{ environ }}`,
	} {
		src = string(bytes.ReplaceAll([]byte(src), []byte("SECRET"), []byte(secret)))
		tm, err := chat.Parse(src)
		if err != nil {
			among(t, err, chat.ErrTemplate)
			continue
		}
		out, err := tm.Render(context.Background(), chat.Request{Messages: []chat.Message{{Role: "user", Content: "x"}}})
		if err != nil {
			among(t, err, chat.ErrTemplate, chat.ErrRefused, chat.ErrMessage, chat.ErrLimit)
		}
		for _, bad := range []string{"found", "class", "<built-in", "func(", "0x"} {
			require.NotContains(t, out, bad, src)
		}
		require.Less(t, len(out), 200, fmt.Sprint(src))
	}
}
