// Package safetensors reads and writes safetensors files, alone or as the
// shards of a hub checkpoint with its index.
//
// [Open] checks everything that a file claims before it allocates or trusts
// it: the header's length, every shape for wrapping, every range against the
// file, and that the ranges cover the data without holes or overlaps, as the
// format demands. Opening costs time linear in the headers (but for a sort of
// the tensors) and memory of at most 4 times the files plus 16 MB.
//
// What a [File] returns as bytes is a view of the mapping: it is valid until
// Close, and is read inside mmap.Guard.
package safetensors

const (
	maxHeader   = 100_000_000 // bytes of JSON, as in the reference implementation; also for an index
	maxRank     = 64
	maxMetadata = 1 << 16 // entries; real files have a handful, each costs up to a hundred bytes of memory
	maxShards   = 1 << 16
	maxDepth    = 64 // of JSON that is skipped

	minEntry   = len(`"":{"dtype":"U8","shape":[],"data_offsets":[0,0]}`)
	minIndexed = len(`"":"f",`)

	keyMetadata = "__metadata__"
	keyWeights  = "weight_map"

	singleName  = "model.safetensors"
	indexName   = "model.safetensors.index.json"
	indexSuffix = ".index.json"
)
