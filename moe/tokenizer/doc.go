// Package tokenizer turns text into the token ids of a checkpoint and back, exactly as the checkpoint's own tokenizer does.
//
// [FromJSON] reads the hub's tokenizer.json, [FromGGUF] the metadata of a GGUF file. Both give a [Tokenizer], which never changes
// afterwards and serves any number of goroutines. [Tokenizer.Encode] and [Tokenizer.Decode] are the two directions; a [Decoder]
// decodes a stream token by token and never emits half a character.
//
// # Steps
//
// Encoding runs the steps of the Hugging Face tokenizers library in its order: added tokens are cut out, the text between them is
// normalised, split into words by the family's pattern, and each word becomes tokens: by byte-level byte-pair merges (GPT-2 and
// nearly everything since), by SentencePiece merges, ordered by rank or by score, or by the most likely segmentation of a unigram
// model. The patterns that split words are regular expressions with lookahead; here each is a scanner written by hand that reads its
// input once. They are recognised by their exact text (tokenizer.json) or name (GGUF). A pattern or a name that is not known is an
// error that names it: a near miss would change ids without a sign.
//
// # Hostile input
//
// Encoding takes time proportional to the text (n log n within one word), whatever the text. Loading checks every id, count and
// reference of the file before use, takes memory in proportion to the file, and returns errors, never panics.
package tokenizer
