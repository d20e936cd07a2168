package gguf

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
)

// Writer collects metadata and tensors and writes them as one GGUF file,
// version 3, in the order given. Mistakes are kept and returned by WriteTo.
// The zero Writer is ready to use.
type Writer struct {
	keys    []string
	kv      map[string]any
	names   map[string]bool
	tensors []writerTensor
	err     error
}

type writerTensor struct {
	Tensor
	data func(io.Writer) error
}

// NewWriter returns an empty Writer.
func NewWriter() *Writer { return &Writer{} }

// SetKV sets a key, in place if it is there already. Values are those of
// File.KV; int and uint are refused, because the format has no such width.
func (w *Writer) SetKV(key string, v any) {
	_, _, err := valueType(v)
	switch {
	case key == "" || len(key) > maxKey:
		w.fault(fail(ErrName, "key %s has %d bytes, expected 1 to %d", brief(key), len(key), maxKey))
	case err != nil:
		w.fault(fail(ErrType, "key %s: %T cannot be written", brief(key), v))
	}
	if w.kv == nil {
		w.kv = map[string]any{}
	}
	if _, ok := w.kv[key]; !ok {
		w.keys = append(w.keys, key)
	}
	w.kv[key] = v
}

// AddTensor adds a tensor of size bytes, which data writes when its turn comes.
func (w *Writer) AddTensor(name string, typ uint32, shape []uint64, size int64, data func(w io.Writer) error) {
	t := Tensor{Name: name, Type: typ, Shape: append([]uint64(nil), shape...), Size: size}
	if err := w.check(&t); err != nil {
		w.fault(err)
	}
	if w.names == nil {
		w.names = map[string]bool{}
	}
	w.names[name] = true
	w.tensors = append(w.tensors, writerTensor{t, data})
}

func (w *Writer) check(t *Tensor) error {
	if t.Name == "" || len(t.Name) > maxName {
		return fail(ErrName, "tensor %s has a name of %d bytes, expected 1 to %d", brief(t.Name), len(t.Name), maxName)
	}
	if strings.IndexByte(t.Name, 0) >= 0 {
		return fail(ErrName, "tensor %q has a byte 0 in its name", t.Name)
	}
	if w.names[t.Name] {
		return fail(ErrDuplicate, "tensor %q occurs twice", t.Name)
	}
	if len(t.Shape) < 1 || len(t.Shape) > maxDims {
		return fail(ErrShape, "tensor %q has %d dimensions, expected 1 to %d", t.Name, len(t.Shape), maxDims)
	}
	for _, ne := range t.Shape {
		if ne == 0 {
			return fail(ErrShape, "tensor %q: shape %d has an empty dimension", t.Name, t.Shape)
		}
	}
	if t.Size <= 0 {
		return fail(ErrShape, "tensor %q has %d bytes", t.Name, t.Size)
	}
	return nil
}

func (w *Writer) fault(err error) {
	if w.err == nil {
		w.err = err
	}
}

// WriteTo writes the file and returns how many bytes it wrote.
func (w *Writer) WriteTo(dst io.Writer) (int64, error) {
	if w.err != nil {
		return 0, w.err
	}
	align, err := alignmentOf(w.kv)
	if err != nil {
		return 0, err
	}
	buf := bufio.NewWriterSize(dst, 1<<16)
	e := &encoder{w: buf}
	w.header(e, int64(align))
	for i := range w.tensors {
		t := &w.tensors[i]
		e.pad(int64(align))
		if e.err == nil {
			e.err = e.tensor(t)
		}
	}
	if len(w.tensors) > 0 {
		e.pad(int64(align)) // other readers take the last one's padding for granted
	}
	if e.err == nil {
		e.err = buf.Flush()
	}
	return e.n, e.err
}

func (w *Writer) header(e *encoder, align int64) {
	e.bytes([]byte(magic))
	e.number(uint32(3))
	e.number(uint64(len(w.tensors)))
	e.number(uint64(len(w.keys)))
	for _, k := range w.keys {
		e.text(k)
		e.value(w.kv[k])
	}
	offset := int64(0)
	for i := range w.tensors {
		t := &w.tensors[i]
		e.text(t.Name)
		e.number(uint32(len(t.Shape)))
		e.number(t.Shape)
		e.number(t.Type)
		e.number(uint64(offset))
		offset += t.Size
		offset += (align - offset%align) % align
	}
}

// encoder writes little-endian values, counts bytes and keeps the first error.
type encoder struct {
	w   io.Writer
	n   int64
	err error
}

func (e *encoder) Write(b []byte) (int, error) {
	n, err := e.w.Write(b)
	e.n += int64(n)
	return n, err
}

func (e *encoder) bytes(b []byte) {
	if e.err == nil {
		_, e.err = e.Write(b)
	}
}

func (e *encoder) number(v any) {
	if e.err == nil {
		e.err = binary.Write(e, binary.LittleEndian, v)
	}
}

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.bytes([]byte(s))
}

func (e *encoder) pad(align int64) {
	for e.n%align != 0 && e.err == nil {
		e.bytes(make([]byte, min(align-e.n%align, 4096)))
	}
}

func (e *encoder) tensor(t *writerTensor) error {
	start := e.n
	if err := t.data(e); err != nil {
		return err
	}
	if got := e.n - start; got != t.Size {
		return fail(ErrShape, "tensor %q wrote %d bytes, expected %d", t.Name, got, t.Size)
	}
	return nil
}

func (e *encoder) value(v any) {
	typ, n, err := valueType(v)
	if err != nil && e.err == nil {
		e.err = err
		return
	}
	if n >= 0 {
		e.number(uint32(typeArray))
	}
	e.number(typ)
	if n >= 0 {
		e.number(uint64(n))
	}
	switch v := v.(type) {
	case string:
		e.text(v)
	case []string:
		for _, s := range v {
			e.text(s)
		}
	default:
		e.number(v)
	}
}

// valueType returns the type id of a value, and its length if it is a slice,
// else -1.
func valueType(v any) (typ uint32, n int, err error) {
	switch v := v.(type) {
	case uint8:
		return typeUint8, -1, nil
	case int8:
		return typeInt8, -1, nil
	case uint16:
		return typeUint16, -1, nil
	case int16:
		return typeInt16, -1, nil
	case uint32:
		return typeUint32, -1, nil
	case int32:
		return typeInt32, -1, nil
	case float32:
		return typeFloat32, -1, nil
	case bool:
		return typeBool, -1, nil
	case string:
		return typeString, -1, nil
	case uint64:
		return typeUint64, -1, nil
	case int64:
		return typeInt64, -1, nil
	case float64:
		return typeFloat64, -1, nil
	case []uint8:
		return typeUint8, len(v), nil
	case []int8:
		return typeInt8, len(v), nil
	case []uint16:
		return typeUint16, len(v), nil
	case []int16:
		return typeInt16, len(v), nil
	case []uint32:
		return typeUint32, len(v), nil
	case []int32:
		return typeInt32, len(v), nil
	case []float32:
		return typeFloat32, len(v), nil
	case []bool:
		return typeBool, len(v), nil
	case []string:
		return typeString, len(v), nil
	case []uint64:
		return typeUint64, len(v), nil
	case []int64:
		return typeInt64, len(v), nil
	case []float64:
		return typeFloat64, len(v), nil
	}
	return 0, -1, ErrType
}
