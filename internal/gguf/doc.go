// Package gguf reads and writes GGUF files, versions 2 and 3, little-endian.
//
// [Open] checks everything that a file claims before it allocates or trusts
// it: every count and length against the bytes that remain, every product for
// wrapping, every tensor's range against the file and against the other
// tensors. Opening costs time linear in the header (but for one sort of the
// tensors) and memory of at most 4 times the file plus 16 MB.
//
// What a [File] returns as bytes is a view of the mapping: it is valid until
// Close, and is read inside mmap.Guard.
package gguf

const (
	magic      = "GGUF"
	alignment  = 32 // of tensor data, unless general.alignment says otherwise
	maxDims    = 4
	maxName    = 64      // bytes in a tensor's name
	maxKey     = 1 << 16 // bytes in a key
	maxKV      = 1 << 16 // real files have some dozens; each costs up to a hundred bytes of memory
	maxTensors = 1 << 24
	maxLength  = 1 << 30 // bytes in a string, elements in an array
)

// Value type ids of the metadata section.
const (
	typeUint8 = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

const (
	keyAlignment    = "general.alignment"
	keySplitNo      = "split.no"
	keySplitCount   = "split.count"
	keySplitTensors = "split.tensors.count"
)
