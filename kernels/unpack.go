package kernels

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"
)

// Unpackers turn one block as it lies in a file into an integer form, exactly.
// They work on eight values at a time in a uint64, the first value in the
// lowest byte. UnpackX reads the block's bytes from the start of src and
// overwrites the whole of *b.

const (
	ones  = 0x0101010101010101
	low4  = 0x0f * ones
	low2  = 0x03 * ones
	low1  = 0x01 * ones
	high1 = 0x80 * ones
)

// bytes8 is the codes as bytes, for stores of eight at a time.
// An int8 has the size and alignment of a byte.
func (b *Super) bytes8() *[256]byte { return (*[256]byte)(unsafe.Pointer(&b.Q)) }
func (b *Small) bytes8() *[32]byte  { return (*[32]byte)(unsafe.Pointer(&b.Q)) }

func load64(p []byte) uint64     { return binary.LittleEndian.Uint64(p) }
func load32(p []byte) uint32     { return binary.LittleEndian.Uint32(p) }
func load16(p []byte) uint16     { return binary.LittleEndian.Uint16(p) }
func loadHalf(p []byte) float32  { return F16ToF32(binary.LittleEndian.Uint16(p)) }
func store64(p []byte, x uint64) { binary.LittleEndian.PutUint64(p, x) }

// less subtracts bias from each byte of x; bytes and bias are in 0..127.
func less(x uint64, bias byte) uint64 {
	return (x + (0x80-uint64(bias))*ones) ^ high1
}

// spread returns a byte of 1 for each bit of b that is set, of 0 for the others;
// bit 0 in the lowest byte.
func spread(b byte) uint64 {
	x := uint64(b) * ones & 0x8040201008040201
	return (x + 0x7f*ones) & high1 >> 7
}

// signs has, for each byte of sign bits, a byte of -1 where a bit is set and of 0
// elsewhere. Looked up it takes half the time of spread(b)*0xff.
var signs = func() (t [256]uint64) {
	for b := range t {
		t[b] = spread(byte(b)) * 0xff
	}
	return t
}()

// evenSigns is signs for 7 bits, completed with the one that makes their number even.
var evenSigns = func() (t [128]uint64) {
	for b := range t {
		t[b] = signs[b|bits.OnesCount8(uint8(b))&1<<7]
	}
	return t
}()

// negate changes the sign of the bytes of x (none of them 0) where sign is -1.
func negate(x, sign uint64) uint64 { return (x ^ sign) + sign&ones }

// noOffset is M in formats without offsets: x + -0 is x for every x, -0 too.
var noOffset = float32(math.Copysign(0, -1))

// setScale gives b one scale for all, for formats without minima.
func (b *Small) setScale(d float32) {
	b.D = [2]float32{d, d}
	b.M = noOffset
}
