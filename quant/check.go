package quant

import "fmt"

// Check returns an error wrapping ErrScale, naming the block, if a scale in src,
// whole blocks of type t, is NaN or infinite. It looks at the scales alone, tens of
// GB/s, but of a mapped file that is every page. Types without scales in their
// blocks always pass.
func Check(t Type, src []byte) error {
	f := formats[t]
	if f == nil {
		return fmt.Errorf("%w: number %d", ErrType, uint32(t))
	}
	_, size := f.block()
	if len(src)%size != 0 {
		return fmt.Errorf("%w: %d bytes of %v, blocks have %d", ErrLength, len(src), t, size)
	}
	for _, off := range f.halves {
		for i := off; i < len(src); i += size {
			if src[i+1]&0x7c == 0x7c {
				return badBlock(t, i/size)
			}
		}
	}
	if f.badScale != nil {
		for i := 0; i < len(src); i += size {
			if f.badScale(src[i : i+size]) {
				return badBlock(t, i/size)
			}
		}
	}
	return nil
}

// CheckE8M0 does for scales that lie beside their blocks (MXFP4Hub) what Check
// does for the others.
func CheckE8M0(scales []byte) error {
	for i, e := range scales {
		if e == 255 {
			return badBlock(MXFP4Hub, i)
		}
	}
	return nil
}

func badBlock(t Type, i int) error { return fmt.Errorf("%w: block %d of %v", ErrScale, i, t) }

func badMXFP4(b []byte) bool { return b[0] == 255 }

func badNVFP4(b []byte) bool {
	for _, s := range b[:4] {
		if s&0x7f == 0x7f {
			return true
		}
	}
	return false
}

// badIQ1M looks at the float16 whose sign and exponent lie in the last quarters.
func badIQ1M(b []byte) bool { return b[55]>>4&7 == 7 && b[53]>>6 == 3 }
