package testkit

import "unsafe"

// at returns the address of s[i], in range or not; the memory around s belongs to
// no Go object.
func at(s []float32, i int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), 4*i))
}
