//go:build !purego

package kernels

// unpackNEON is f.Super, faster for the common formats.
func (f *Format) unpackNEON(b *Super, src []byte) {
	switch f {
	case Q4K:
		src = src[:144]
		codesQ4K(&b.Q, &src[0])
		b.scales6(src[4:16])
		b.D, b.DMin = loadHalf(src), loadHalf(src[2:])
	case Q5K:
		src = src[:176]
		codesQ5K(&b.Q, &src[0])
		b.scales6(src[4:16])
		b.D, b.DMin = loadHalf(src), loadHalf(src[2:])
	case Q6K:
		src = src[:210]
		codesQ6K(&b.Q, &src[0])
		for i, s := range src[192:208] {
			b.Scale[i] = int16(int8(s))
		}
		b.Min = [16]int16{}
		b.D, b.DMin = loadHalf(src[208:]), 0
	default:
		f.Super(b, src)
	}
}

//go:noescape
func codesQ4K(q *[256]int8, src *byte)

//go:noescape
func codesQ5K(q *[256]int8, src *byte)

//go:noescape
func codesQ6K(q *[256]int8, src *byte)
