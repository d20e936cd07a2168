package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func start(t *testing.T, o options) (*httptest.Server, *server) {
	m, err := moetest.Tale(moe.WithThreads(2))
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	o.name, o.log = "tale", slog.New(slog.NewTextHandler(io.Discard, nil))
	if o.maxBody == 0 {
		o.maxBody = 1 << 19
	}
	if o.timeout == 0 {
		o.timeout = time.Minute
	}
	s, err := newServer(m, o)
	require.NoError(t, err)
	t.Cleanup(s.close)
	h := httptest.NewServer(s.handler())
	t.Cleanup(h.Close)
	return h, s
}

// TestOpenAIClient runs client_test, where node and its packages can be had.
func TestOpenAIClient(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if testing.Short() {
		t.Skip("installs a package")
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "test.mjs"} {
		b, err := os.ReadFile(filepath.Join("client_test", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the client cannot be installed: %v: %s", err, out)
	}
	h, _ := start(t, options{key: "secret", parallel: 1, queue: 4})
	node := exec.CommandContext(ctx, "node", "--test", "test.mjs")
	node.Dir = dir
	node.Env = append(os.Environ(), "BASE_URL="+h.URL+"/v1", "KEY=secret")
	out, err := node.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "fail 0")
}

func post(t *testing.T, h *httptest.Server, path, body string) (int, map[string]any) {
	r, err := http.Post(h.URL+path, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer r.Body.Close()
	var v map[string]any
	require.NoError(t, json.NewDecoder(r.Body).Decode(&v))
	return r.StatusCode, v
}

func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			v = v.(map[string]any)[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

const ask = `"messages": [{"role": "user", "content": "Once upon a time"}]`

func TestErrorShape(t *testing.T) {
	h, _ := start(t, options{parallel: 1})
	for _, c := range []struct {
		path, body string
		status     int
		param      any
	}{
		{"/v1/chat/completions", `{`, 400, ""},
		{"/v1/chat/completions", `[]`, 400, ""},
		{"/v1/chat/completions", `{"messages": "x"}`, 400, "messages"},
		{"/v1/chat/completions", `{` + ask + `, "temperature": "hot"}`, 400, "temperature"},
		{"/v1/chat/completions", `{` + ask + `, "n": 99}`, 400, "n"},
		{"/v1/chat/completions", `{` + ask + `, "top_p": 1.5}`, 400, "top_p"},
		{"/v1/chat/completions", `{` + ask + `, "max_tokens": 0}`, 400, "max_tokens"},
		{"/v1/chat/completions", `{` + ask + `, "top_logprobs": 3}`, 400, "top_logprobs"},
		{"/v1/chat/completions", `{` + ask + `, "grammar": "root ::= root"}`, 400, nil},
		{"/v1/chat/completions", `{` + ask + `, "response_format": {"type": "yaml"}}`, 400, "response_format"},
		{"/v1/completions", `{"prompt": 3}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": []}`, 400, "prompt"},
		{"/v1/completions", `{"prompt": [99999]}`, 400, nil},
		{"/v1/completions", `{"prompt": "x", "suffix": "y"}`, 400, "suffix"},
		{"/v1/completions", `{"prompt": "` + strings.Repeat("x", 1<<20) + `"}`, 413, nil},
		{"/v1/embeddings", `{}`, 404, nil},
	} {
		status, v := post(t, h, c.path, c.body)
		require.Equal(t, c.status, status, "%.60s: %v", c.body, v)
		require.NotEmpty(t, at(v, "error", "message"))
		require.NotEmpty(t, at(v, "error", "type"))
		require.Equal(t, c.param, at(v, "error", "param"), "%.60s", c.body)
	}
	r, err := http.Post(h.URL+"/v1/completions", "text/plain", strings.NewReader(`{"prompt": "x"}`))
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, http.StatusUnsupportedMediaType, r.StatusCode)
}

func TestKey(t *testing.T) {
	h, _ := start(t, options{key: "secret"})
	for header, want := range map[string]int{"": 401, "Bearer": 401, "Bearer wrong": 401, "Bearer secret ": 401, "Bearer secret": 200} {
		r, err := http.NewRequest("GET", h.URL+"/v1/models", nil)
		require.NoError(t, err)
		r.Header["Authorization"] = []string{header}
		res, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		res.Body.Close()
		if strings.TrimSpace(header) == "Bearer secret" { // a transport trims what it sends
			want = 200
		}
		require.Equal(t, want, res.StatusCode, "%q", header)
	}
	r, err := http.Get(h.URL + "/health")
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, 200, r.StatusCode)
}

// Requests beyond slots and queue are refused at once; those that wait are
// answered in the end.
func TestQueue(t *testing.T) {
	h, s := start(t, options{parallel: 1, queue: 1})
	s.slots <- struct{}{} // one is at work
	var wg sync.WaitGroup
	wg.Go(func() {
		status, _ := post(t, h, "/v1/completions", `{"prompt": "x", "max_tokens": 1}`)
		if status != 200 {
			t.Errorf("status %d of the one that waited", status)
		}
	})
	require.Eventually(t, func() bool { return s.waiting.Load() == 1 }, 5*time.Second, time.Millisecond)
	status, v := post(t, h, "/v1/completions", `{"prompt": "x", "max_tokens": 1}`)
	require.Equal(t, 429, status)
	require.Equal(t, "rate_limit_exceeded", at(v, "error", "code"))
	<-s.slots
	wg.Wait()
}

func TestTimeout(t *testing.T) {
	h, _ := start(t, options{parallel: 1, timeout: time.Nanosecond})
	status, v := post(t, h, "/v1/completions", `{"prompt": "x"}`)
	require.Equal(t, 503, status)
	require.Equal(t, "timeout", at(v, "error", "code"))
}

// A client that goes away frees its slot.
func TestDisconnect(t *testing.T) {
	h, s := start(t, options{parallel: 1})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/completions", strings.NewReader(`{"prompt": "Once", "max_tokens": 500, "stream": true, "logit_bias": {"1": -100}}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(line, "data: {"))
	require.Len(t, s.slots, 1)
	cancel()
	require.Eventually(t, func() bool { return len(s.slots) == 0 }, 5*time.Second, time.Millisecond)
}

// An answer's parts come apart by the template's format, whole and in a stream;
// what is thought is free of the grammar.
func TestReasoning(t *testing.T) {
	const template = "{% if 0 %}<think></think><tool_call>\"arguments\"{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}<think>"
	h, s := start(t, options{parallel: 1, template: template})
	// A script instead of a model: the text is spelled by bias, one token after the
	// other, which the grammar hook sees like any other.
	q := chatRequest{}
	g, err := (&common{Grammar: `root ::= "yes" | "no"`}).grammar()
	require.NoError(t, err)
	c := &conversant{s: s, q: &q, parser: s.template.Parser("...<think>"), g: g}
	logits := make([]float32, s.m.Config().Vocab)
	require.NoError(t, c.hook(nil, logits))
	for _, l := range logits {
		require.Zero(t, l, "thoughts are free")
	}
	d := c.parser.Next("hm</think>")
	require.Equal(t, "hm", d.Reasoning)
	require.NoError(t, c.hook([]int32{1, 2, 3}, logits))
	allowed := ""
	for id, l := range logits {
		if l == 0 {
			allowed += s.spelling(int32(id)) + " "
		}
	}
	require.Contains(t, allowed, "y")
	require.Contains(t, allowed, "n")
	require.NotContains(t, allowed, "a")

	status, v := post(t, h, "/v1/chat/completions", `{`+ask+`, "max_tokens": 8, "temperature": 0}`)
	require.Equal(t, 200, status)
	require.Equal(t, "", at(v, "choices", 0, "message", "content"))
	require.NotEmpty(t, at(v, "choices", 0, "message", "reasoning_content"))
}

func TestToolsInPrompt(t *testing.T) {
	h, _ := start(t, options{parallel: 1, template: "{{ tools | length if tools }}{% for m in messages %}{{ m.role }}{{ m.content }}{{ m.tool_calls[0].function.arguments.x if m.tool_calls }}{% endfor %}"})
	body := `{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
		{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 3}"}}]},
		{"role": "tool", "tool_call_id": "1", "content": "c"}], "tools": [{"type": "function", "function": {"name": "f"}}], "max_tokens": 1`
	status, v := post(t, h, "/v1/chat/completions", body+`}`)
	require.Equal(t, 200, status)
	_, w := post(t, h, "/v1/completions", `{"prompt": "1userabassistant3toolc", "max_tokens": 1}`)
	require.Equal(t, at(w, "usage", "prompt_tokens"), at(v, "usage", "prompt_tokens"))
	_, none := post(t, h, "/v1/chat/completions", body+`, "tool_choice": "none"}`)
	require.NotEqual(t, at(v, "usage", "prompt_tokens"), at(none, "usage", "prompt_tokens"))
}

// A conversation's next message finds the state of the last one, and the answer is
// what it would be without.
func TestCache(t *testing.T) {
	const first = `{"messages": [{"role": "user", "content": "Once upon a time"}], "temperature": 0, "max_tokens": 20}`
	h, s := start(t, options{parallel: 2, cache: 2})
	cold, _ := start(t, options{parallel: 2})
	_, a := post(t, h, "/v1/chat/completions", first)
	said, err := json.Marshal(at(a, "choices", 0, "message", "content"))
	require.NoError(t, err)
	next := `{"messages": [{"role": "user", "content": "Once upon a time"}, {"role": "assistant", "content": ` + string(said) +
		`}, {"role": "user", "content": "And then?"}], "temperature": 0, "max_tokens": 20, "n": 2}`
	_, b := post(t, h, "/v1/chat/completions", next)
	_, c := post(t, cold, "/v1/chat/completions", next)
	require.Greater(t, at(b, "usage", "prompt_tokens_details", "cached_tokens"), 5.0)
	require.Zero(t, at(c, "usage", "prompt_tokens_details", "cached_tokens"))
	for i := range 2 {
		require.Equal(t, at(c, "choices", i, "message"), at(b, "choices", i, "message"))
	}
	for range 3 {
		post(t, h, "/v1/chat/completions", first)
		post(t, h, "/v1/chat/completions", `{`+ask+`, "max_tokens": 2}`)
	}
	require.Len(t, s.cache.states, 2)
}

// Many at once, some of them gone before their answer is.
func TestParallel(t *testing.T) {
	h, _ := start(t, options{parallel: 3, queue: 100, cache: 3})
	_, alone := post(t, h, "/v1/chat/completions", `{`+ask+`, "max_tokens": 12, "seed": 5}`)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				time.AfterFunc(time.Duration(i)*3*time.Millisecond, cancel)
			}
			r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/v1/chat/completions", strings.NewReader(`{`+ask+`, "max_tokens": 12, "seed": 5}`))
			r.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				return
			}
			defer res.Body.Close()
			var v map[string]any
			if json.NewDecoder(res.Body).Decode(&v) == nil && at(v, "choices", 0, "message", "content") != at(alone, "choices", 0, "message", "content") {
				t.Errorf("another answer: %v", v)
			}
		})
	}
	wg.Wait()
}
