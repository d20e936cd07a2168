package langchain

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tmc/langchaingo/chains"
	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
	"github.com/tmc/langchaingo/prompts"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func tale(t *testing.T) *LLM {
	t.Helper()
	m, err := moetest.Tale(moe.WithThreads(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	l, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// converse is what any llms.Model must do; seeds are repeatable.
func converse(t *testing.T, l llms.Model) string {
	t.Helper()
	ctx := t.Context()
	messages := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, "A tale."),
		llms.TextParts(llms.ChatMessageTypeHuman, "Once upon a time there was a king"),
	}
	var streamed strings.Builder
	ask := []llms.CallOption{llms.WithMaxTokens(20), llms.WithSeed(3), llms.WithTemperature(0.8)}
	whole, err := l.GenerateContent(ctx, messages, ask...)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.GenerateContent(ctx, messages, append(ask, llms.WithStreamingFunc(func(_ context.Context, b []byte) error {
		streamed.Write(b)
		return nil
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	c := whole.Choices[0]
	if c.Content == "" || c.StopReason != "length" {
		t.Errorf("content %q, stop reason %q", c.Content, c.StopReason)
	}
	if again.Choices[0].Content != c.Content || streamed.String() != c.Content {
		t.Errorf("whole %q, again %q, streamed %q", c.Content, again.Choices[0].Content, &streamed)
	}
	if n := c.GenerationInfo["CompletionTokens"]; n != 20 {
		t.Errorf("%v tokens, want 20", n)
	}
	return c.Content
}

func TestModel(t *testing.T) {
	l := tale(t)
	converse(t, l)

	prompt := prompts.NewPromptTemplate("Once upon a time there was a {{.who}}", []string{"who"})
	chain := chains.NewLLMChain(l, prompt)
	text, err := chains.Run(t.Context(), chain, "wolf", chains.WithMaxTokens(10))
	if err != nil || text == "" {
		t.Errorf("chain: %q, %v", text, err)
	}

	r, err := l.GenerateContent(t.Context(), []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "x")},
		llms.WithJSONMode(), llms.WithMaxTokens(40), llms.WithTemperature(2), llms.WithN(3))
	if err != nil || len(r.Choices) != 3 {
		t.Fatalf("%v, %v", r, err)
	}
	for _, c := range r.Choices {
		var v map[string]any
		if err := json.Unmarshal([]byte(c.Content), &v); err != nil {
			t.Errorf("%v: %s", err, c.Content)
		}
	}

	stop := errors.New("enough")
	_, err = l.GenerateContent(t.Context(), []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "x")},
		llms.WithStreamingFunc(func(context.Context, []byte) error { return stop }))
	if !errors.Is(err, stop) {
		t.Errorf("error of a stream: %v", err)
	}
	_, err = l.GenerateContent(t.Context(), []llms.MessageContent{{Role: llms.ChatMessageTypeHuman, Parts: []llms.ContentPart{llms.ImageURLPart("x")}}})
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("error of an image: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = l.GenerateContent(ctx, []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("error of a cancelled call: %v", err)
	}
}

// langchaingo's client of OpenAI talks to the server example, and gets the answer
// that the adapter gives.
func TestServer(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "server")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	build := exec.Command("go", "build", "-o", bin, "./examples/server")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := exec.Command(bin, "-addr", "127.0.0.1:0", "-threads", "2")
	server.Env = append(os.Environ(), "COTERIE_API_KEY=secret")
	logs, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()
	url := make(chan string, 1)
	go func() {
		for s := bufio.NewScanner(logs); s.Scan(); {
			var line struct{ URL string }
			if json.Unmarshal(s.Bytes(), &line) == nil && line.URL != "" {
				url <- line.URL
			}
		}
	}()
	var base string
	select {
	case base = <-url:
	case <-time.After(time.Minute):
		t.Fatal("the server does not listen")
	}
	client, err := openai.New(openai.WithBaseURL(base), openai.WithToken("secret"), openai.WithModel("tale"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := converse(t, client), converse(t, tale(t)); got != want {
		t.Errorf("the server says %q, the adapter %q", got, want)
	}
	stranger, err := openai.New(openai.WithBaseURL(base), openai.WithToken("wrong"), openai.WithModel("tale"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := llms.GenerateFromSinglePrompt(t.Context(), stranger, "x"); err == nil {
		t.Error("a wrong key was accepted")
	}
}
