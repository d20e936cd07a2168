package moe

import (
	"os"
	"path/filepath"
	"strings"
)

// ReadConfig reads what a model is like from a config.json, a directory that holds
// one, or a GGUF file. It needs no weights beside a config.json.
func ReadConfig(path string) (Config, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	if strings.HasSuffix(path, ".json") {
		c, _, err := readHubConfig(path)
		if err != nil {
			return Config{}, err
		}
		return c.config, nil
	}
	c, err := openCheckpoint(path)
	if err != nil {
		return Config{}, err
	}
	return c.config, c.close()
}

// Parameters returns the number of weights, and how many of them one token is
// multiplied by: TopK of the routed experts, and no embedding, which it only looks
// up, unless that is the output matrix too. Prediction layers and the biases of
// linear maps are left out of both, as makers of models do, or may, for they are
// too few to matter.
func (c *Config) Parameters() (total, active int64) {
	vocab := int64(c.Vocab) * int64(c.Dim)
	total, active = vocab, vocab
	if !c.TiedOutput {
		total += vocab
	}
	always := c.normSize()
	for i := range c.Layers {
		always += 2*c.normSize() + c.seeing(&c.Layers[i])
		if c.Layers[i].Dense {
			always += c.feedForward(c.DenseFF)
			continue
		}
		always += int64(c.Router.Experts)*int64(c.Dim) + c.feedForward(c.SharedFF)
		if c.SharedGate {
			always += int64(c.Dim)
		}
		one := c.feedForward(c.ExpertFF)
		total += one * int64(c.Router.Experts)
		active += one * int64(c.Router.TopK)
	}
	return total + always, active + always
}

func (c *Config) normSize() int64 {
	if c.Norm == LayerNorm {
		return 2 * int64(c.Dim)
	}
	return int64(c.Dim)
}

// feedForward returns the size of gate, up and down.
func (c *Config) feedForward(ff int) int64 { return 3 * int64(c.Dim) * int64(ff) }

// seeing returns the size of a layer's attention, or of what takes its place.
func (c *Config) seeing(l *LayerConfig) int64 {
	var n int64
	matrix := func(out, in int) { n += int64(out) * int64(in) }
	switch a, d := c.Latent, c.Delta; {
	case l.Recurrent:
		matrix(2*d.KeyHeads*d.KeyDim+2*d.ValueHeads*d.ValueDim+2*d.ValueHeads, c.Dim)
		matrix(d.channels(), d.Conv)
		n += int64(2*d.ValueHeads + d.ValueDim)
		matrix(c.Dim, d.ValueHeads*d.ValueDim)
	case a != nil:
		if a.QRank > 0 {
			matrix(a.QRank, c.Dim)
			n += int64(a.QRank)
			matrix(c.Heads*c.HeadDim, a.QRank)
		} else {
			matrix(c.Heads*c.HeadDim, c.Dim)
		}
		matrix(a.KVRank+a.RopeDim, c.Dim)
		n += int64(a.KVRank)
		matrix(c.Heads*(a.NopeDim+c.ValueDim), a.KVRank)
		matrix(c.Dim, c.Heads*c.ValueDim)
		if x := c.Indexer; x != nil {
			matrix(x.Heads*x.Dim, a.QRank)
			matrix(x.Dim+x.Heads, c.Dim)
			n += int64(2 * x.Dim)
		}
	default:
		queries := c.Heads * c.HeadDim
		if c.AttnGate {
			queries *= 2
		}
		matrix(queries+c.KVHeads*(c.HeadDim+c.ValueDim), c.Dim)
		matrix(c.Dim, c.Heads*c.ValueDim)
		switch c.QKNorm {
		case HeadQKNorm:
			n += int64(2 * c.HeadDim)
		case FullQKNorm:
			n += int64((c.Heads + c.KVHeads) * c.HeadDim)
		}
	}
	return n
}
