package kernels

// Limits of the machine, for benchmarks: a kernel's speed says little beside
// another machine's, but much beside what the same core does at most in the same
// minute.

// LimitFloat does about n fused multiply-adds of float32, as many at a time as the
// instruction set in use allows and none waiting for memory or for another, and
// returns how many it did.
func LimitFloat(n int) int { return active.limitFloat(n) }

// LimitInt8 does it with products of 8-bit integers, added in 32 bits (in 16 where
// the instruction set has nothing better).
func LimitInt8(n int) int { return active.limitInt8(n) }

// LimitRead reads p once, in order, and does nothing with it.
func LimitRead(p []byte) { active.limitRead(p) }

func limitFloat(n int) int {
	var a [4]float32
	for i := 0; i < n; i += len(a) {
		for j := range a {
			a[j] = FMA(0.5, 0.5, a[j])
		}
	}
	sinkFloat(a[0] + a[1] + a[2] + a[3])
	return (n + 3) / 4 * 4
}

func limitInt8(n int) int {
	var a [4]int32
	for i := 0; i < n; i += len(a) {
		for j := range a {
			a[j] += int32(int8(i)) * int32(int8(j))
		}
	}
	sinkFloat(float32(a[0] + a[1] + a[2] + a[3]))
	return (n + 3) / 4 * 4
}

func limitRead(p []byte) {
	var a uint64
	for ; len(p) >= 8; p = p[8:] {
		a ^= load64(p)
	}
	sinkFloat(float32(a))
}

// sinkFloat keeps the compiler from leaving out what led to x.
//
//go:noinline
func sinkFloat(float32) {}
