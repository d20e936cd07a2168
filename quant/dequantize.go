package quant

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
)

// Dequantize sets dst (n) to the values of src, n a multiple of t's block length
// and src exactly as long as n values are. Each operation of a format's formula is
// rounded to float32. F8E4M3 is converted without the scales that lie beside it;
// MXFP4Hub has no values without its scales and is reported as ErrCodec.
func Dequantize(dst []float32, t Type, src []byte) error {
	if _, err := checkLengths(t, len(dst), len(src)); err != nil {
		return err
	}
	k := t.Format()
	switch {
	case t == F8E4M3:
		for i, b := range src {
			dst[i] = kernels.F8E4M3ToF32(b)
		}
	case k == nil || k.SmallBeside != nil:
		return fmt.Errorf("%w: from %v", ErrCodec, t)
	case k.Load != nil:
		k.Load(dst, src)
	case k.Super != nil:
		var b kernels.Super
		for ; len(dst) > 0; dst, src = dst[256:], src[k.Bytes:] {
			k.Super(&b, src)
			b.Values(dst[:256])
		}
	case k.Small != nil:
		var b kernels.Small
		for ; len(dst) > 0; dst, src = dst[32:], src[k.Bytes:] {
			k.Small(&b, src)
			b.Values(dst[:32])
		}
	default:
		var b [2]kernels.Small
		for ; len(dst) > 0; dst, src = dst[64:], src[k.Bytes:] {
			k.Pair(&b, src)
			b[0].Values(dst[:32])
			b[1].Values(dst[32:64])
		}
	}
	return nil
}

// checkLengths returns t's row if size bytes hold exactly n values of it.
func checkLengths(t Type, n, size int) (*format, error) {
	f := formats[t]
	if f == nil {
		return nil, fmt.Errorf("%w: number %d", ErrType, uint32(t))
	}
	block, bytes := f.block()
	if n%block != 0 {
		return nil, fmt.Errorf("%w: %d values of %v, blocks have %d", ErrLength, n, t, block)
	}
	if want := n / block * bytes; size != want {
		return nil, fmt.Errorf("%w: %d values of %v take %d bytes, got %d", ErrLength, n, t, want, size)
	}
	return f, nil
}
