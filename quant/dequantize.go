package quant

import (
	"fmt"

	"github.com/coterie-go/coterie/kernels"
)

// Dequantize sets dst (n) to the values of src, n a multiple of t's block
// length and src exactly as long as n values are. Each operation of a format's formula is rounded
// to float32. F8E4M3 is converted without the scales that lie beside it; MXFP4Hub, which has no values without
// them, is an error (see kernels.UnpackMXFP4Hub).
func Dequantize(dst []float32, t Type, src []byte) error {
	f, err := checkLengths(t, len(dst), len(src))
	if err != nil {
		return err
	}
	switch {
	case f.float != nil:
		f.float(dst, src)
	case f.super != nil:
		var b kernels.Super
		for ; len(dst) > 0; dst, src = dst[256:], src[f.bytes:] {
			f.super(&b, src)
			b.Values(dst[:256])
		}
	case f.small != nil:
		var b kernels.Small
		for ; len(dst) > 0; dst, src = dst[32:], src[f.bytes:] {
			f.small(&b, src)
			b.Values(dst[:32])
		}
	case f.double != nil:
		var b [2]kernels.Small
		for ; len(dst) > 0; dst, src = dst[64:], src[f.bytes:] {
			f.double(&b, src)
			b[0].Values(dst[:32])
			b[1].Values(dst[32:64])
		}
	default:
		return fmt.Errorf("%w: from %v", ErrCodec, t)
	}
	return nil
}

// checkLengths returns t's row if size bytes hold exactly n values of it.
func checkLengths(t Type, n, size int) (*format, error) {
	f := formats[t]
	if f == nil {
		return nil, fmt.Errorf("%w: number %d", ErrType, uint32(t))
	}
	if n%f.block != 0 {
		return nil, fmt.Errorf("%w: %d values of %v, blocks have %d", ErrLength, n, t, f.block)
	}
	if want := n / f.block * f.bytes; size != want {
		return nil, fmt.Errorf("%w: %d values of %v take %d bytes, got %d", ErrLength, n, t, want, size)
	}
	return f, nil
}
