// Package grammar makes a model write what a grammar allows and nothing else: JSON
// that follows a schema, or a language given in GBNF, the notation of llama.cpp.
//
//	g, err := grammar.FromSchema(schema)
//	v := grammar.NewVocabulary(tok) // once per tokenizer
//	c := g.Constrain(v, 400)        // once per text
//	for t, err := range model.Generate(ctx, s, prompt, moe.Sampling{MaxTokens: 400, Hook: c.Hook}) { ... }
//
// Before each token the logits of all tokens that cannot continue the text are set
// to -Inf: the hook works on the bytes that tokens stand for, so every way of
// cutting the text into tokens stays open to the model. Given a limit of tokens it
// also rules out what could not be brought to an end within it, so that a text
// that reaches the limit is whole, provided that the vocabulary has a token for
// each single byte, as byte-level vocabularies do.
//
// A grammar is a pushdown automaton over bytes. What is reached while a text is
// read is made deterministic as it is met, so that most tokens cost a table look-up
// a byte: with a vocabulary of 100,000 a constraint takes 0.2 to 0.3 ms a token,
// measured with BenchmarkHook on one core.
package grammar
