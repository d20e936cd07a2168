//go:build !linux

package mmap

import "errors"

func resident([]byte) (int64, error) { return 0, errors.ErrUnsupported }
