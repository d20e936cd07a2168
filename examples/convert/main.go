// Convert turns a hub checkpoint (config.json, safetensors, tokenizer.json) into
// one GGUF file with the keys and tensor names that llama.cpp gave the format, so
// that other tools can open it.
//
//	go run ./examples/convert -type q8_0 DIR OUT.gguf
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/quant"
)

// fileTypes are the types that a conversion offers, with general.file_type.
var fileTypes = map[string]struct {
	typ  quant.Type
	file uint32
}{
	"f32": {quant.F32, 0}, "f16": {quant.F16, 1}, "q8_0": {quant.Q8_0, 7}, "bf16": {quant.BF16, 32},
}

func main() {
	typ := flag.String("type", "bf16", "type of the matrices: f32, f16, bf16 or q8_0 (norms, biases and routers stay f32)")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Convert a hub checkpoint into one GGUF file.

usage: convert [-type T] DIR OUT.gguf

DIR holds config.json, safetensors files and tokenizer.json. FP8 checkpoints are
dequantised; MXFP4 experts are kept bit for bit. OUT appears when it is complete.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := convert(ctx, flag.Arg(0), flag.Arg(1), *typ); err != nil {
		fmt.Fprintln(os.Stderr, "convert:", err)
		os.Exit(1)
	}
}

func convert(ctx context.Context, src, dst, typ string) error {
	t, ok := fileTypes[strings.ToLower(typ)]
	if !ok {
		return fmt.Errorf("type: want f32, f16, bf16 or q8_0, found %q", typ)
	}
	bar := cli.NewProgress("converting")
	defer bar.Done()
	return cli.WriteFile(dst, func(w io.Writer) error {
		return moe.ExportGGUF(ctx, w, src, moe.Export{
			Type:     func(moe.ExportTensor) quant.Type { return t.typ },
			FileType: t.file,
			Progress: bar.Set,
		})
	})
}
