package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// valueSizes holds the bytes that a value takes at least, by type id; a string
// and an element of a string array start with their length.
var valueSizes = [...]uint64{
	typeUint8: 1, typeInt8: 1, typeUint16: 2, typeInt16: 2, typeUint32: 4, typeInt32: 4,
	typeFloat32: 4, typeBool: 1, typeString: 8, typeArray: 12, typeUint64: 8, typeInt64: 8, typeFloat64: 8,
}

// value reads a type id and a value of that type.
func (r *reader) value() (any, error) {
	typ, err := r.valueType()
	if err != nil {
		return nil, err
	}
	switch typ {
	case typeArray:
		return r.array()
	case typeString:
		b, err := r.bytes(maxLength, "string")
		return string(b), err
	}
	b, err := r.elements(typ, 1)
	if err != nil {
		return nil, err
	}
	return scalar(typ, b), nil
}

func (r *reader) array() (any, error) {
	typ, err := r.valueType()
	if err != nil {
		return nil, err
	}
	if typ == typeArray {
		return nil, fail(ErrType, "array of arrays, expected an array of scalars or strings")
	}
	n, err := r.count(maxLength, valueSizes[typ], "array")
	if err != nil {
		return nil, err
	}
	if typ == typeString {
		return r.strings(int(n))
	}
	b, err := r.elements(typ, n)
	if err != nil {
		return nil, err
	}
	return slice(typ, b, int(n)), nil
}

func (r *reader) valueType() (uint32, error) {
	typ, err := r.u32("type of value")
	if err == nil && typ >= uint32(len(valueSizes)) {
		err = fail(ErrType, "type of value %d, expected 0 to %d", typ, len(valueSizes)-1)
	}
	return typ, err
}

// elements returns the bytes of n numbers or bools. A bool other than 0 and 1
// is refused: the format leaves it undefined.
func (r *reader) elements(typ uint32, n uint64) ([]byte, error) {
	b, err := r.take(n*valueSizes[typ], "value") // n is at most maxLength
	if err != nil || typ != typeBool {
		return b, err
	}
	for i, v := range b {
		if v > 1 {
			return nil, fail(ErrValue, "bool %d is %d, expected 0 or 1", i, v)
		}
	}
	return b, nil
}

// strings reads n strings into one backing string. It walks them once to know
// their bytes, so that nothing is allocated for an array that is not there.
func (r *reader) strings(n int) ([]string, error) {
	start, total := r.off, 0
	for i := range n {
		b, err := r.bytes(maxLength, "string")
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		total += len(b)
	}
	r.off = start
	var all strings.Builder
	all.Grow(total)
	s := make([]string, n)
	for i := range s {
		b, _ := r.bytes(maxLength, "string") // walked above
		from := all.Len()
		all.Write(b)
		s[i] = all.String()[from:]
	}
	return s, nil
}

func scalar(typ uint32, b []byte) any {
	le := binary.LittleEndian
	switch typ {
	case typeUint8:
		return b[0]
	case typeInt8:
		return int8(b[0])
	case typeUint16:
		return le.Uint16(b)
	case typeInt16:
		return int16(le.Uint16(b))
	case typeUint32:
		return le.Uint32(b)
	case typeInt32:
		return int32(le.Uint32(b))
	case typeFloat32:
		return math.Float32frombits(le.Uint32(b))
	case typeBool:
		return b[0] == 1
	case typeUint64:
		return le.Uint64(b)
	case typeInt64:
		return int64(le.Uint64(b))
	default: // typeFloat64, the last that valueType lets through
		return math.Float64frombits(le.Uint64(b))
	}
}

func slice(typ uint32, b []byte, n int) any {
	switch typ {
	case typeUint8:
		return decode[uint8](b, n)
	case typeInt8:
		return decode[int8](b, n)
	case typeUint16:
		return decode[uint16](b, n)
	case typeInt16:
		return decode[int16](b, n)
	case typeUint32:
		return decode[uint32](b, n)
	case typeInt32:
		return decode[int32](b, n)
	case typeFloat32:
		return decode[float32](b, n)
	case typeBool:
		return decode[bool](b, n)
	case typeUint64:
		return decode[uint64](b, n)
	case typeInt64:
		return decode[int64](b, n)
	default:
		return decode[float64](b, n)
	}
}

func decode[T any](b []byte, n int) []T {
	s := make([]T, n)
	binary.Decode(b, binary.LittleEndian, s) // b holds exactly n
	return s
}
