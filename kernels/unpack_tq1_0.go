package kernels

// UnpackTQ1_0 unpacks a tq1_0 block of 54 bytes: 48 bytes of five ternary digits
// and 4 bytes of four, d as float16. A byte is the fraction 0.t0t1t2t3t4 in base
// 3, scaled to 256 and rounded up, so that multiplying by 3 carries the next
// digit out of the byte. Bytes 0-31 hold values 32n+l, bytes 32-47 hold values
// 160+16n+l, bytes 48-51 hold values 240+4n+l, n counting digits.
func UnpackTQ1_0(b *Super, src []byte) {
	src = src[:54]
	q := b.bytes8()
	for l := 0; l < 32; l += 8 {
		digits(q[l:160], 32, load64(src[l:]))
	}
	for l := 0; l < 16; l += 8 {
		digits(q[160+l:240], 16, load64(src[32+l:]))
	}
	// The last bytes are four, so a word of eight holds two digits of each.
	x := uint64(load32(src[48:]))
	for n := 0; n < 16; n += 8 {
		var lo, hi uint64
		lo, x = digit(x)
		hi, x = digit(x)
		store64(q[240+n:], less(lo|hi<<32, 1))
	}
	b.ternary(loadHalf(src[52:]))
}

// digits writes the five digits of eight bytes, each step bytes after the last.
func digits(q []byte, step int, x uint64) {
	var d uint64
	for range 5 {
		d, x = digit(x)
		store64(q, less(d, 1))
		q = q[min(step, len(q)):]
	}
}

// digit multiplies the bytes of x by 3 and returns what each carries, 0..2, and
// what stays.
func digit(x uint64) (carry, rest uint64) {
	const even = 0x00ff00ff00ff00ff
	lo, hi := (x&even)*3, (x>>8&even)*3
	return lo>>8&even | hi&^even, lo&even | hi&even<<8
}

// ternary gives b the single scale of the ternary types.
func (b *Super) ternary(d float32) {
	for i := range b.Scale {
		b.Scale[i] = 1
	}
	b.Min = [16]int16{}
	b.D, b.DMin = d, 0
}
