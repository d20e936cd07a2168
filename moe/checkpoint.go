package moe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coterie-go/coterie/internal/gguf"
	"github.com/coterie-go/coterie/internal/mmap"
	"github.com/coterie-go/coterie/internal/safetensors"
	"github.com/coterie-go/coterie/moe/tokenizer"
	"github.com/coterie-go/coterie/quant"
)

// tensorView is a tensor as it lies in a file.
type tensorView struct {
	name   string
	typ    quant.Type
	shape  []int // rows before columns, the last dimension contiguous
	data   []byte
	shard  int // file that holds it, and where
	offset int64
}

// checkpoint is an open file or directory in one of the two spellings.
type checkpoint struct {
	path   string
	family *family
	config Config
	hub    bool
	kv     map[string]any // GGUF metadata
	inner  innerText      // where a hub checkpoint for more than text holds its text model

	find   func(name string) (tensorView, bool, error)
	names  []string
	shards []*mmap.File
	close  func() error

	tokenizer func() (*tokenizer.Tokenizer, error)
	template  string // chat template, if there is one
}

// openCheckpoint opens a GGUF file, the first of a split one, or a hub directory.
func openCheckpoint(path string) (*checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if info.IsDir() {
		return openHub(path)
	}
	f, err := gguf.Open(path, quant.SizeOf)
	if unknown := (gguf.TypeError{}); errors.As(err, &unknown) {
		_, named := quant.FromGGUF(unknown.ID)
		err = fmt.Errorf("%w: %w", err, named)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	return newGGUF(path, f)
}

func newGGUF(path string, f *gguf.File) (_ *checkpoint, err error) {
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	arch, _, err := f.String("general.architecture")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	kv := f.KV()
	k := keys{
		get:    func(key string) (any, bool) { v, ok := kv[arch+"."+key]; return v, ok },
		tensor: func(name string) bool { _, ok := f.Tensor(name); return ok },
		errs:   new([]error),
	}
	c := &checkpoint{path: path, kv: kv, close: f.Close, shards: f.Shards()}
	if c.family, err = familyOfGGUF(arch, k); err != nil {
		return nil, err
	}
	c.config.Family = c.family.name
	readGGUF(k, &c.config)
	c.family.readGGUF(k, &c.config)
	c.find = func(name string) (tensorView, bool, error) {
		t, ok := f.Tensor(name)
		if !ok {
			return tensorView{}, false, nil
		}
		v := tensorView{name: name, typ: quant.Type(t.Type), data: f.Bytes(t), shard: t.Shard, offset: t.Offset}
		for i := len(t.Shape) - 1; i >= 0; i-- {
			v.shape = append(v.shape, int(t.Shape[i]))
		}
		return v, true, nil
	}
	for _, t := range f.Tensors() {
		c.names = append(c.names, t.Name)
	}
	if v, ok, _ := c.find("token_embd.weight"); ok && len(v.shape) == 2 {
		c.config.Vocab = v.shape[0]
	}
	if err := c.factors(); err != nil {
		return nil, err
	}
	_, separate := f.Tensor("output.weight")
	c.config.TiedOutput = !separate
	c.tokenizer = func() (*tokenizer.Tokenizer, error) { return tokenizer.FromGGUF(kv) }
	c.template, _, _ = f.String("tokenizer.chat_template")
	if id, ok, _ := f.Uint("tokenizer.ggml.bos_token_id"); ok && id < 1<<31 {
		c.config.BOS = int32(id)
	}
	if id, ok, _ := f.Uint("tokenizer.ggml.eos_token_id"); ok && id < 1<<31 {
		c.config.EOS = []int32{int32(id)}
	}
	return c, c.check(k)
}

// factors reads the divisors of the rotary frequencies. A file may have two sets,
// for texts up to the original context and for longer ones; see hubLongRoPE.
func (c *checkpoint) factors() error {
	r := &c.config.RoPE
	set := "rope_factors_short.weight"
	if c.config.Context > r.Scaling.Original {
		set = "rope_factors_long.weight"
	}
	for _, name := range []string{"rope_freqs.weight", set} {
		v, ok, err := c.find(name)
		if err != nil || !ok {
			continue
		}
		if v.typ != quant.F32 || len(v.shape) != 1 {
			return fmt.Errorf("%w: %s: want a vector of F32, found %v of %v", ErrTensor, name, v.shape, v.typ)
		}
		r.Factors = make([]float32, v.shape[0])
		if err := quant.Dequantize(r.Factors, v.typ, v.data); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrTensor, name, err)
		}
	}
	return nil
}

// check validates the configuration once everything that it says has been read.
func (c *checkpoint) check(k keys) error {
	if err := errors.Join(k.err(), c.config.Validate()); err != nil {
		return err
	}
	return nil
}

func openHub(dir string) (*checkpoint, error) {
	read := func(name string) ([]byte, error) { return readSmall(filepath.Join(dir, name)) }
	return newHub(dir, read, func() (*safetensors.File, error) { return safetensors.Open(dir) })
}

// newHub opens a checkpoint in the hub's layout whose small files read returns.
func newHub(dir string, readFile func(name string) ([]byte, error), open func() (*safetensors.File, error)) (_ *checkpoint, err error) {
	data, err := readFile("config.json")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	c, k, err := parseHubConfig(filepath.Join(dir, "config.json"), data)
	if err != nil {
		return nil, err
	}
	f, err := open()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, dir, err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	c.path, c.close, c.names, c.shards = dir, f.Close, f.Names(), f.Shards()
	c.find = func(name string) (tensorView, bool, error) {
		t, ok := f.Tensor(name)
		if !ok {
			return tensorView{}, false, nil
		}
		v := tensorView{name: name, data: f.Bytes(t), shard: t.Shard, offset: t.Offset}
		for _, n := range t.Shape {
			v.shape = append(v.shape, int(n))
		}
		if v.typ, ok = hubTypes[t.Dtype]; !ok {
			return v, true, fmt.Errorf("%w: %s: want one of BF16, F16, F32, F8_E4M3, found %s", ErrTensor, name, t.Dtype)
		}
		return v, true, nil
	}
	c.inner = findText(c)
	read := func(name string) []byte {
		data, err := readFile(name)
		if err != nil {
			return nil
		}
		return data
	}
	c.tokenizer = func() (*tokenizer.Tokenizer, error) {
		data, err := readFile("tokenizer.json")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", tokenizer.ErrNoTokenizer, err)
		}
		return tokenizer.FromJSON(data, read("tokenizer_config.json"))
	}
	c.template = hubTemplate(read)
	c.generation(read("generation_config.json"))
	return c, c.check(k)
}

// hubTypes are the element types of weights in safetensors files. U8 holds
// blocks whose meaning the tensor's name tells.
var hubTypes = map[safetensors.Dtype]quant.Type{
	"BF16": quant.BF16, "F16": quant.F16, "F32": quant.F32, "F8_E4M3": quant.F8E4M3, "U8": quant.I8,
}

// readHubConfig reads a config.json; it suffices for everything but weights.
func readHubConfig(path string) (*checkpoint, keys, error) {
	data, err := readSmall(path)
	if err != nil {
		return nil, keys{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return parseHubConfig(path, data)
}

func parseHubConfig(path string, data []byte) (_ *checkpoint, k keys, err error) {
	k = keys{errs: new([]error), tensor: func(string) bool { return false }}
	if n := values(data); n > maxValues {
		return nil, k, fmt.Errorf("%w: %s: want at most %d values, found %d", ErrFormat, path, maxValues, n)
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, k, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	}
	k.get = func(key string) (any, bool) { v, ok := m[key]; return v, ok }
	c := &checkpoint{path: path, hub: true}
	c.family, err = familyOfHub(k)
	if text, ok := m["text_config"].(map[string]any); ok { // of a model for more than text
		k.get = func(key string) (any, bool) {
			if v, ok := text[key]; ok && v != nil {
				return v, ok
			}
			v, ok := m[key]
			return v, ok
		}
		if err != nil {
			c.family, err = familyOfHub(k)
		}
	}
	if err != nil {
		return nil, k, fmt.Errorf("%s: %w", path, err)
	}
	c.config.Family = c.family.name
	readHub(k, &c.config)
	c.family.readHub(k, &c.config)
	checkQuantisation(k)
	if err := c.check(k); err != nil {
		return nil, k, fmt.Errorf("%s: %w", path, err)
	}
	return c, k, nil
}

// maxValues is how many values a configuration may have. Each takes up to 120 bytes
// of memory, many times its length in the file.
const maxValues = 100_000

// values returns how many values and objects JSON text has, or a few more.
func values(data []byte) (n int) {
	for _, c := range data {
		if c == ',' || c == ':' || c == '[' || c == '{' {
			n++
		}
	}
	return n
}

// checkQuantisation refuses ways of quantising that the loader does not know.
func checkQuantisation(k keys) {
	if !k.has("quantization_config") {
		return
	}
	q := k.sub("quantization_config")
	switch method := q.string("quant_method", ""); method {
	case "mxfp4":
	case "fp8":
		if b := q.ints("weight_block_size"); len(b) != 2 || b[0] != 128 || b[1] != 128 {
			q.fail("quantization_config.weight_block_size", "[128 128]", b)
		}
	default:
		q.fail("quantization_config.quant_method", "fp8 or mxfp4", strconv.Quote(method))
	}
}

// readSmall reads a file of at most 256 MB, which no configuration or tokenizer
// exceeds.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 256<<20 {
		return nil, fmt.Errorf("%s: want a file of at most 256 MB, found %d bytes, mode %v", path, info.Size(), info.Mode())
	}
	return os.ReadFile(path)
}

// hubTemplate returns the chat template from its own file or from the
// tokenizer's configuration, where it may be one of several.
func hubTemplate(read func(string) []byte) string {
	if t := read("chat_template.jinja"); t != nil {
		return string(t)
	}
	var cfg struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if json.Unmarshal(read("tokenizer_config.json"), &cfg) != nil {
		return ""
	}
	var one string
	if json.Unmarshal(cfg.Template, &one) == nil {
		return one
	}
	var many []struct{ Name, Template string }
	if values(cfg.Template) <= maxValues && json.Unmarshal(cfg.Template, &many) == nil {
		for _, t := range many {
			if t.Name == "default" {
				return t.Template
			}
		}
	}
	return ""
}

// generation adds the ending tokens of generation_config.json.
func (c *checkpoint) generation(data []byte) {
	var g struct {
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if json.Unmarshal(data, &g) != nil {
		return
	}
	var ids []int32
	if json.Unmarshal(g.EOS, &ids) != nil {
		var id int32
		if json.Unmarshal(g.EOS, &id) != nil {
			return
		}
		ids = []int32{id}
	}
	if len(ids) > 1000 {
		return // nobody means that
	}
	for _, id := range ids {
		seen := false
		for _, e := range c.config.EOS {
			seen = seen || e == id
		}
		if !seen {
			c.config.EOS = append(c.config.EOS, id)
		}
	}
}

// ggufName returns the name that GGUF files of the family have for a tensor.
func (c *checkpoint) ggufName(role string, l int) string {
	if n, ok := c.family.ggufNames[role]; ok {
		role = n
	}
	if l >= 0 {
		return "blk." + strconv.Itoa(l) + "." + role
	}
	return role
}

// name returns the checkpoint's own name for a tensor of layer l (-1 for none)
// and expert e, given in GGUF's words.
func (c *checkpoint) name(role string, l, e int) string {
	if !c.hub {
		return c.ggufName(role, l)
	}
	t, ok := c.family.names[role]
	if !ok {
		if t, ok = hubNames[role]; !ok {
			return ""
		}
	}
	t = strings.Replace(t, "{l}", strconv.Itoa(l), 1)
	return c.inner.name(strings.Replace(t, "{e}", strconv.Itoa(e), 1))
}
