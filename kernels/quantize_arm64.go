//go:build !purego

package kernels

import "unsafe"

func quantizeNEON(q []int8, d []float32, sums []int16, x []float32, block int) {
	if len(d) > 0 {
		quantizeBlocks(&q[0], unsafe.SliceData(d), unsafe.SliceData(sums), unsafe.SliceData(x), len(d), block)
	}
}

// quantizeBlocks: n > 0 blocks; block is a multiple of 16.
//
//go:noescape
func quantizeBlocks(q *int8, d *float32, sums *int16, x *float32, n, block int)
