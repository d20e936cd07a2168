package kernels

// UnpackTQ1_0 unpacks a tq1_0 block of 54 bytes: 48 bytes of five ternary digits
// and 4 bytes of four, d as float16. A byte is the fraction 0.t0t1t2t3t4 in base
// 3, scaled to 256 and rounded up, so that multiplying by 3 carries the next
// digit out of the byte. Bytes 0-31 hold values 32n+l, bytes 32-47 hold values
// 160+16n+l, bytes 48-51 hold values 240+4n+l, n counting digits.
func UnpackTQ1_0(b *Super, src []byte) {
	src = src[:54]
	digits(b.Q[:160], src[:32])
	digits(b.Q[160:240], src[32:48])
	digits(b.Q[240:], src[48:52])
	b.ternary(loadHalf(src[52:]))
}

func digits(q []int8, src []byte) {
	for l, c := range src {
		for i := l; i < len(q); i += len(src) {
			t := uint16(c) * 3
			q[i] = int8(t>>8) - 1
			c = byte(t)
		}
	}
}

// ternary gives b the single scale of the ternary types.
func (b *Super) ternary(d float32) {
	for i := range b.Scale {
		b.Scale[i] = 1
	}
	b.Min = [16]int16{}
	b.D, b.DMin = d, 0
}
