package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/grammar"
)

// common are the fields that both kinds of requests have. Unknown fields are
// passed over, as OpenAI's own additions come faster than anyone can follow.
type common struct {
	Model            string             `json:"model"`
	Temperature      *float32           `json:"temperature"`
	TopP             *float32           `json:"top_p"`
	N                *int               `json:"n"`
	Seed             *int64             `json:"seed"`
	Stop             oneOrMore          `json:"stop"`
	PresencePenalty  float32            `json:"presence_penalty"`
	FrequencyPenalty float32            `json:"frequency_penalty"`
	LogitBias        map[string]float32 `json:"logit_bias"`
	MaxTokens        *int               `json:"max_tokens"`
	Stream           bool               `json:"stream"`
	StreamOptions    struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	ResponseFormat *responseFormat `json:"response_format"`

	// Not OpenAI's, but of other servers.
	TopK          int     `json:"top_k"`
	MinP          float32 `json:"min_p"`
	Typical       float32 `json:"typical_p"`
	RepeatPenalty float32 `json:"repeat_penalty"`
	Grammar       string  `json:"grammar"` // GBNF
}

type responseFormat struct {
	Type   string `json:"type"`
	Schema *struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// oneOrMore is a string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]string)(o))
	}
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s != nil {
		*o = []string{*s}
	}
	return nil
}

const maxChoices = 16

// sampling turns a request's fields into the library's.
func (s *server) sampling(c *common) (moe.Sampling, error) {
	o := moe.Sampling{
		Temperature: 1, TopK: c.TopK, MinP: c.MinP, Typical: c.Typical, Stop: c.Stop, MaxTokens: s.o.maxTokens,
		PresencePenalty: c.PresencePenalty, FrequencyPenalty: c.FrequencyPenalty, RepeatPenalty: c.RepeatPenalty,
	}
	if c.Model != "" {
		if err := s.checkModel(c.Model); err != nil {
			return o, err
		}
	}
	if t := c.Temperature; t != nil {
		if !(*t >= 0 && *t <= 100) {
			return o, badRequest("temperature", "temperature: want 0 to 100, found %v", *t)
		}
		o.Temperature = *t
	}
	if p := c.TopP; p != nil {
		if !(*p >= 0 && *p <= 1) {
			return o, badRequest("top_p", "top_p: want 0 to 1, found %v", *p)
		}
		if o.TopP = *p; *p == 0 { // the library's 0 is for all; here it is for the likeliest only
			o.TopK = 1
		}
	}
	if n := c.N; n != nil && (*n < 1 || *n > maxChoices) {
		return o, badRequest("n", "n: want 1 to %d, found %d", maxChoices, *n)
	}
	if len(c.Stop) > 16 {
		return o, badRequest("stop", "stop: want at most 16, found %d", len(c.Stop))
	}
	for _, t := range c.Stop {
		if t == "" {
			return o, badRequest("stop", "stop: an empty text")
		}
	}
	if n := c.MaxTokens; n != nil {
		if *n < 0 {
			return o, badRequest("max_tokens", "max_tokens: want 0 or more, found %d", *n)
		}
		if o.MaxTokens == 0 || *n < o.MaxTokens {
			o.MaxTokens = *n
		}
	}
	if c.Seed != nil {
		o.Seed = uint64(*c.Seed)
	} else {
		o.Seed = randomSeed()
	}
	for id, b := range c.LogitBias {
		n, err := strconv.ParseInt(id, 10, 32)
		if err != nil || n < 0 || int(n) >= s.m.Config().Vocab {
			return o, badRequest("logit_bias", "logit_bias: %q is no token of this model", id)
		}
		if o.Bias == nil {
			o.Bias = map[int32]float32{}
		}
		o.Bias[int32(n)] = b
	}
	return o, nil
}

func (c *common) choices() int {
	if c.N == nil {
		return 1
	}
	return *c.N
}

// grammar returns what the answer must follow, nil for anything.
func (c *common) grammar() (*grammar.Grammar, error) {
	f := c.ResponseFormat
	switch {
	case c.Grammar != "":
		return grammar.Parse(c.Grammar)
	case f == nil || f.Type == "text" || f.Type == "":
		return nil, nil
	case f.Type == "json_object":
		return grammar.FromSchema([]byte(`{"type": "object"}`))
	case f.Type == "json_schema":
		if f.Schema == nil || len(f.Schema.Schema) == 0 {
			return nil, badRequest("response_format", "response_format: json_schema without a schema")
		}
		g, err := grammar.FromSchema(f.Schema.Schema)
		if err != nil {
			return nil, badRequest("response_format", "response_format: %v", err)
		}
		return g, nil
	}
	return nil, badRequest("response_format", "response_format: want text, json_object or json_schema, found %q", f.Type)
}

// prompts is a text, a list of texts, a list of tokens, or a list of those.
type prompts struct {
	texts  []string
	tokens [][]int32
}

func (p *prompts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		p.texts = []string{one}
		return nil
	}
	if json.Unmarshal(b, &p.texts) == nil {
		return nil
	}
	p.texts = nil
	var ids []int32
	if json.Unmarshal(b, &ids) == nil {
		p.tokens = [][]int32{ids}
		return nil
	}
	if json.Unmarshal(b, &p.tokens) == nil {
		return nil
	}
	return badRequest("prompt", "prompt: want a text, tokens, or a list of either")
}

// finishReason is OpenAI's word for how a text ended.
func finishReason(f moe.Finish, calls bool) string {
	switch {
	case f == moe.FinishLength || f == moe.FinishContext:
		return "length"
	case calls:
		return "tool_calls"
	}
	return "stop"
}

func (s *server) spelling(id int32) string { return s.tok.Decode([]int32{id}, true) }

// bytesOf returns the bytes that a token stands for, as a list of numbers.
func (s *server) bytesOf(id int32) []int {
	p, err := s.tok.Piece(id)
	if err != nil {
		return nil
	}
	list := make([]int, len(p))
	for i, b := range p {
		list[i] = int(b)
	}
	return list
}

func (s *server) requestID(kind string) string { return fmt.Sprintf("%s-%x", kind, randomSeed()) }
