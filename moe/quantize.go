package moe

import (
	"context"
	"io"

	"github.com/coterie-go/coterie/quant"
)

// unnamedMix is general.file_type of mixes without a number: look at the tensors.
const unnamedMix = 1024

// Quantize writes the checkpoint at path as one GGUF file whose matrices have the
// types that the recipe chooses. It fills in e.Type, e.FileType and what the recipe
// has to know of the model; see ExportGGUF for the rest.
func Quantize(ctx context.Context, dst io.Writer, path string, recipe *quant.Recipe, e Export) error {
	c, err := openCheckpoint(path)
	if err != nil {
		return err
	}
	cfg := c.config
	if err := c.close(); err != nil {
		return err
	}
	r := *recipe
	r.HeadsPerKV = cfg.Heads / max(cfg.KVHeads, 1)
	r.Tied = cfg.TiedOutput
	r.Importance = e.Importance != nil
	var ok bool
	if e.FileType, ok = r.FileType(); !ok {
		e.FileType = unnamedMix
	}
	e.Type = func(t ExportTensor) quant.Type {
		return r.TypeFor(t.Name, t.Layer, t.Layers, t.Experts, t.Rows, t.Cols)
	}
	return ExportGGUF(ctx, dst, path, e)
}
