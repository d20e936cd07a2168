package chat

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Answers come apart the same however they are cut.
func TestParser(t *testing.T) {
	const harmony = "<|start|><|channel|>"
	const think = "<think></think>"
	const calls = think + "<tool_call>\\n{\"name\": x, \"arguments\": y}"
	for _, c := range []struct {
		name, template, prompt, text string
		want                         Delta
	}{
		{"plain", "x", "", "Hello <think> world", Delta{Content: "Hello <think> world"}},
		{"thought", think, "", "<think>\nLet me see.\n</think>\n\nFour.\n", Delta{Content: "Four.\n", Reasoning: "Let me see."}},
		{"space before", think, "", "\n <think>a\n\nb</think>c", Delta{Content: "c", Reasoning: "a\n\nb"}},
		{"in the prompt", think, "...<think>\n", "Hm.</think>4", Delta{Content: "4", Reasoning: "Hm."}},
		{"no thought", think, "", "4 <b> <think> 5", Delta{Content: "4 <b> <think> 5"}},
		{"closed in the prompt", think, "<think></think>", "4 </think>", Delta{Content: "4 </think>"}},
		{"unfinished", think, "", "<think>Hm. </thi", Delta{Reasoning: "Hm. </thi"}},
		{"nothing", think, "", "<think></think>", Delta{}},
		{"other marks", "[THINK][/THINK]", "", "[THINK]a[/THINK]b", Delta{Content: "b", Reasoning: "a"}},
		{"call", calls, "", "<think>a</think>\nI ask.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>",
			Delta{Content: "I ask.\n", Reasoning: "a", Calls: []ToolCall{{"call_1", "f", `{"x": 1}`}, {"call_2", "g", "{}"}}}},
		{"bad call", calls, "", "a<tool_call>{</tool_call>b", Delta{Content: "a<tool_call>{b"}},
		{"call cut off", calls, "", "a<tool_call>{\"na", Delta{Content: "a<tool_call>{\"na"}},
		{"channels", harmony, "<|start|>assistant", "<|channel|>analysis<|message|>Hm <b>.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>",
			Delta{Content: "Four.", Reasoning: "Hm <b>."}},
		{"preamble and call", harmony, "<|start|>assistant", "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>" +
			"<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"x\":1}<|call|>",
			Delta{Content: "I look.", Reasoning: "a", Calls: []ToolCall{{"call_1", "f", `{"x":1}`}}}},
		{"recipient first", harmony, "<|start|>assistant", " to=functions.f<|channel|>commentary json<|message|>{}",
			Delta{Calls: []ToolCall{{"call_1", "f", "{}"}}}},
		{"final only", harmony, "", "<|channel|>final<|message|>4 <|", Delta{Content: "4 <|"}},
		{"unknown channel", harmony, "", "<|channel|>secret<|message|>4<|end|>", Delta{}},
	} {
		tm := &Template{format: formatOf(c.template)}
		for size := 1; size <= len(c.text)+1; size++ {
			p := tm.Parser(c.prompt)
			var got Delta
			add := func(d Delta) {
				got.Content += d.Content
				got.Reasoning += d.Reasoning
				got.Calls = append(got.Calls, d.Calls...)
			}
			for i := 0; i < len(c.text); i += size {
				add(p.Next(c.text[i:min(i+size, len(c.text))]))
				require.True(t, len(got.Content) <= len(c.want.Content) && got.Content == c.want.Content[:len(got.Content)], "%s: %q shown", c.name, got.Content)
				require.True(t, len(got.Reasoning) <= len(c.want.Reasoning) && got.Reasoning == c.want.Reasoning[:len(got.Reasoning)], "%s: %q shown", c.name, got.Reasoning)
			}
			add(p.Flush())
			require.Equal(t, c.want, got, "%s in pieces of %d", c.name, size)
		}
	}
}
