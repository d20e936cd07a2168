package kernels

import "math"

// RMSNorm sets dst[i] = w[i] * (x[i] * r), r = 1/sqrt(mean(x*x) + eps), the sum of
// squares being a dot product. w nil stands for ones. dst and x may be the same.
// Zhang and Sennrich, 2019.
func RMSNorm(dst, x, w []float32, eps float32) {
	if len(dst) != len(x) || (w != nil && len(w) != len(x)) {
		panic("kernels: RMSNorm: lengths differ")
	}
	active.rmsNorm(dst, x, w, eps)
}

func rmsNorm(dst, x, w []float32, eps float32) {
	r := 1 / sqrt(dot(x, x)/float32(len(x))+eps)
	if w == nil {
		for i, v := range x {
			dst[i] = float32(v * r)
		}
		return
	}
	for i, v := range x {
		dst[i] = w[i] * float32(v*r)
	}
}

// sqrt of a float32 through float64 rounds correctly: 53 >= 2*24+2 bits.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// Add sets dst[i] += x[i].
func Add(dst, x []float32) {
	if len(dst) != len(x) {
		panic("kernels: Add: lengths differ")
	}
	active.add(dst, x)
}

func add(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// div sets dst[i] = x[i]/d.
func div(dst, x []float32, d float32) {
	for i, v := range x {
		dst[i] = v / d
	}
}

// SwiGLU sets dst[i] = silu(gate[i]) * up[i]. Slices may coincide.
func SwiGLU(dst, gate, up []float32) {
	if len(dst) != len(gate) || len(dst) != len(up) {
		panic("kernels: SwiGLU: lengths differ")
	}
	active.swiGLU(dst, gate, up)
}

func swiGLU(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = SiLU(g) * up[i]
	}
}

// SwiGLUClamped sets dst[i] = g * sigmoid(alpha*g) * (u+1) with g = min(gate[i], limit)
// and u = clamp(up[i], -limit, limit), multiplied in the order (u+1) * (g*sigmoid).
// This is gpt-oss's activation. Slices may coincide.
func SwiGLUClamped(dst, gate, up []float32, alpha, limit float32) {
	if len(dst) != len(gate) || len(dst) != len(up) {
		panic("kernels: SwiGLUClamped: lengths differ")
	}
	active.swiGLUClamped(dst, gate, up, alpha, limit)
}

func swiGLUClamped(dst, gate, up []float32, alpha, limit float32) {
	for i, g := range gate {
		u := up[i]
		if g > limit {
			g = limit
		}
		if u > limit {
			u = limit
		}
		if u < -limit {
			u = -limit
		}
		dst[i] = (u + 1) * float32(g*Sigmoid(float32(alpha*g)))
	}
}

// RotateHalf turns the pairs (x[i], x[i+n]), n = len(cos) = len(x)/2, by the angles
// whose cosines and sines are given: x[i]*cos - x[i+n]*sin, x[i+n]*cos + x[i]*sin.
func RotateHalf(x, cos, sin []float32) {
	n := len(cos)
	if len(sin) != n || len(x) != 2*n {
		panic("kernels: RotateHalf: lengths differ")
	}
	active.rotateHalf(x, cos, sin)
}

func rotateHalf(x, cos, sin []float32) {
	n := len(cos)
	for i, c := range cos {
		a, b, s := x[i], x[i+n], sin[i]
		x[i] = float32(a*c) - float32(b*s)
		x[i+n] = float32(b*c) + float32(a*s)
	}
}

// RotatePairs is RotateHalf for the neighbouring pairs (x[2i], x[2i+1]).
func RotatePairs(x, cos, sin []float32) {
	n := len(cos)
	if len(sin) != n || len(x) != 2*n {
		panic("kernels: RotatePairs: lengths differ")
	}
	active.rotatePairs(x, cos, sin)
}

func rotatePairs(x, cos, sin []float32) {
	for i, c := range cos {
		a, b, s := x[2*i], x[2*i+1], sin[i]
		x[2*i] = float32(a*c) - float32(b*s)
		x[2*i+1] = float32(b*c) + float32(a*s)
	}
}
