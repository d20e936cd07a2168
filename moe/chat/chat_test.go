package chat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	system    = Message{Role: "system", Content: "You answer in one line."}
	ask       = Message{Role: "user", Content: "What is 2+2?"}
	four      = Message{Role: "assistant", Content: "4"}
	askAgain  = Message{Role: "user", Content: "And \"3+3\" <in> 'words' & é ü 🦊?\n"}
	callMsg   = Message{Role: "assistant", Calls: []ToolCall{weather}}
	weather   = ToolCall{"call12345", "get_weather", `{"city": "Köln", "days": 3, "f": 1.5, "b": true, "n": null, "l": [1, "a"]}`}
	answered  = Message{Role: "tool", Name: "get_weather", CallID: "call12345", Content: `{"t": 21}`}
	thoughtOf = Message{Role: "assistant", Content: "4", Reasoning: "Two and two."}
	functions = []Tool{
		{"get_weather", "Weather of a city.", json.RawMessage(`{"type": "object", "properties": {
			"city": {"type": "string", "description": "The city's name"},
			"unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
			"days": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}},
			"deep": {"type": "object", "properties": {"x": {"type": "number"}, "é": {"type": ["string", "null"]}}}}, "required": ["city"]}`)},
		{"now", "The time & date.", json.RawMessage(`{"type": "object", "properties": {}}`)},
	}
	requests = map[string]Request{
		"user":       {Messages: []Message{ask}},
		"chat":       {Messages: []Message{system, ask, four, askAgain}},
		"chat_tools": {Messages: []Message{system, ask, four, askAgain}, Tools: functions},
		"call":       {Messages: []Message{system, ask, callMsg, answered}, Tools: functions},
		"call2":      {Messages: []Message{system, ask, callMsg, answered, four, askAgain}, Tools: functions},
		"twocalls": {Messages: []Message{ask, {Role: "assistant", Content: "Looking.", Calls: []ToolCall{weather, {"call67890", "now", "{}"}}},
			answered, {Role: "tool", Name: "now", CallID: "call67890", Content: "noon"}}, Tools: functions},
		"rc":      {Messages: []Message{ask, thoughtOf, askAgain}},
		"rclast":  {Messages: []Message{ask, thoughtOf}, Complete: true},
		"nothink": {Messages: []Message{system, ask}, Vars: map[string]any{"enable_thinking": false, "thinking": false}},
		"dothink": {Messages: []Message{system, ask}, Vars: map[string]any{"enable_thinking": true, "thinking": true, "reasoning_effort": "high"}},
	}
)

func render(t testing.TB, tm *Template, q Request) (string, error) {
	q.BOS, q.EOS, q.Now = "<BOS>", "<EOS>", time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return tm.Render(context.Background(), q)
}

// exchange is what the templates of real models make of a system message, a
// question, an answer and another question, which ends in a newline.
var exchange = map[string]string{
	"GLM-4.6": "[gMASK]<sop><|system|>\nYou answer in one line.<|user|>\nWhat is 2+2?<|assistant|>\n<think></think>\n4" +
		"<|user|>\nQUESTION\n<|assistant|>",
	"Kimi-K2-Instruct":   kimi,
	"moonshotai-Kimi-K2": kimi,
	"MiniMax-M2": "]~!b[]~b]system\nYou answer in one line.[e~[\n]~b]user\nWhat is 2+2?[e~[\n]~b]ai\n4[e~[\n" +
		"]~b]user\nQUESTION\n[e~[\n]~b]ai\n<think>\n",
	"Qwen-QwQ-32B":    chatml + "<think>\n</think>",
	"Qwen-Qwen3-0.6B": chatml,
	"Qwen3-Coder":     chatml,
	"Qwen3.5-4B":      strings.Replace(chatml, "QUESTION\n", "QUESTION", 1) + "<think>\n",
	"deepseek-ai-DeepSeek-R1-Distill-Llama-8B": "<BOS>You answer in one line.<｜User｜>What is 2+2?<｜Assistant｜>4<｜end▁of▁sentence｜>" +
		"<｜User｜>QUESTION\n<｜Assistant｜><think>\n",
	"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "<BOS>You answer in one line.<｜User｜>What is 2+2?<｜Assistant｜>4<｜end▁of▁sentence｜>" +
		"<｜User｜>QUESTION\n<｜Assistant｜><think>\n</think>",
	"deepseek-ai-DeepSeek-V3.1": "<BOS>You answer in one line.<｜User｜>What is 2+2?<｜Assistant｜><think></think>4<｜end▁of▁sentence｜>" +
		"<｜User｜>QUESTION\n<｜Assistant｜><think></think>",
	"deepseek-ai-DeepSeek-V3.2": "<BOS>You answer in one line.<｜User｜>What is 2+2?<｜Assistant｜></think>4<｜end▁of▁sentence｜>" +
		"<｜User｜>QUESTION\n<｜Assistant｜><think></think>",
	"ibm-granite-granite-4.0": "<|start_of_role|>system<|end_of_role|>You answer in one line.<|end_of_text|>\n" +
		"<|start_of_role|>user<|end_of_role|>What is 2+2?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>4<|end_of_text|>\n" +
		"<|start_of_role|>user<|end_of_role|>QUESTION\n<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
	"meta-llama-Llama-3.3-70B-Instruct": "<BOS><|start_header_id|>system<|end_header_id|>\n\n" +
		"Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nYou answer in one line.<|eot_id|>" +
		"<|start_header_id|>user<|end_header_id|>\n\nWhat is 2+2?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n4<|eot_id|>" +
		"<|start_header_id|>user<|end_header_id|>\n\nQUESTION<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
	"mistralai-Mistral-Nemo-Instruct-2407": "<BOS>[INST]What is 2+2?[/INST]4<EOS>[INST]You answer in one line.\n\nQUESTION\n[/INST]",
	"openai-gpt-oss-120b": "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n" +
		"Knowledge cutoff: 2024-06\nCurrent date: 2026-03-04\n\nReasoning: medium\n\n" +
		"# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>" +
		"<|start|>developer<|message|># Instructions\n\nYou answer in one line.\n\n<|end|>" +
		"<|start|>user<|message|>What is 2+2?<|end|><|start|>assistant<|channel|>final<|message|>4<|end|>" +
		"<|start|>user<|message|>QUESTION\n<|end|><|start|>assistant",
}

const (
	chatml = "<|im_start|>system\nYou answer in one line.<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n" +
		"<|im_start|>assistant\n4<|im_end|>\n<|im_start|>user\nQUESTION\n<|im_end|>\n<|im_start|>assistant\n"
	kimi = "<|im_system|>system<|im_middle|>You answer in one line.<|im_end|><|im_user|>user<|im_middle|>What is 2+2?<|im_end|>" +
		"<|im_assistant|>assistant<|im_middle|>4<|im_end|><|im_user|>user<|im_middle|>QUESTION\n<|im_end|><|im_assistant|>assistant<|im_middle|>"
)

// The templates of real models, where they lie beside the project. Prompts with
// functions are long and largely the templates' own prose: of these the digests of
// what transformers' set-up of Jinja2 3.1.6 renders are compared.
func TestRealTemplates(t *testing.T) {
	const dir = "../../../shared/templates/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no " + dir)
	}
	var digests map[string]map[string]string
	data, err := os.ReadFile("testdata/reference.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &digests))
	require.Len(t, digests, len(exchange))
	for name, cases := range digests {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(dir + name + ".jinja")
			require.NoError(t, err)
			tm, err := Parse(string(src))
			require.NoError(t, err)
			got, err := render(t, tm, requests["chat"])
			require.NoError(t, err)
			want := strings.Replace(exchange[name], "QUESTION", strings.TrimSuffix(askAgain.Content, "\n"), 1)
			require.Equal(t, want, got)
			require.Contains(t, cases, "chat_tools")
			for c, digest := range cases {
				got, err := render(t, tm, requests[c])
				require.NoError(t, err, c)
				sum := sha256.Sum256([]byte(got))
				if hex.EncodeToString(sum[:16]) != digest {
					t.Errorf("%s: not the reference's prompt:\n%s", c, got)
				}
			}
		})
	}
}

func ownTemplate(t testing.TB) *Template {
	src, err := os.ReadFile("testdata/chatml.jinja")
	require.NoError(t, err)
	tm, err := Parse(string(src))
	require.NoError(t, err)
	return tm
}

func TestRender(t *testing.T) {
	tm := ownTemplate(t)
	got, err := render(t, tm, Request{
		Messages: []Message{ask, {Role: "assistant", Reasoning: "Hm.", Calls: []ToolCall{{"1", "now", `{"b":1,"a":[2.50]}`}}}, {Role: "tool", Content: "noon"}},
		Tools:    functions[1:], Vars: map[string]any{"enable_thinking": true},
	})
	require.NoError(t, err)
	require.Equal(t, `<|im_start|>system
Functions:
now {"type": "object", "properties": {}}
<|im_end|>
<|im_start|>user
What is 2+2?<|im_end|>
<|im_start|>assistant
<think>
Hm.
</think>

<tool_call>
{"name": "now", "arguments": {"b": 1, "a": [2.5]}}
</tool_call><|im_end|>
<|im_start|>tool
noon<|im_end|>
<|im_start|>assistant
<think>
`, got)
}

func TestRenderErrors(t *testing.T) {
	_, err := Parse("")
	require.ErrorIs(t, err, ErrTemplate)
	_, err = Parse("{% if %}")
	require.ErrorIs(t, err, ErrTemplate)
	tm := ownTemplate(t)
	_, err = render(t, tm, Request{Messages: []Message{{Role: "king"}}})
	require.ErrorIs(t, err, ErrRefused)
	require.ErrorContains(t, err, "no role king")
	_, err = render(t, tm, Request{Messages: []Message{{Content: "x"}}})
	require.ErrorIs(t, err, ErrMessage)
	_, err = render(t, tm, Request{Messages: []Message{{Role: "assistant", Calls: []ToolCall{{"", "f", "{"}}}}})
	require.ErrorIs(t, err, ErrMessage)
	_, err = render(t, tm, Request{Vars: map[string]any{"x": []int{1}}})
	require.ErrorIs(t, err, ErrMessage)
	bomb, err := Parse("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")
	require.NoError(t, err)
	_, err = render(t, bomb, Request{})
	require.ErrorIs(t, err, ErrLimit)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = bomb.Render(ctx, Request{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestClean(t *testing.T) {
	special := []string{"<|im_end|>", "<s>"}
	require.Equal(t, "ab", Clean("a<|im_<s>end|>b", special))
	require.Equal(t, "a < b", Clean("a < b", special))
}
