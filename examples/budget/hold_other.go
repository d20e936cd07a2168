//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("the comparison with a mapped file needs Linux")

type holder struct{}

func newHolder(string, int64) (*holder, error)         { return nil, errLinux }
func (h *holder) took() time.Duration                  { return 0 }
func (h *holder) close()                               {}
func (h *holder) observe(int, int, []int32, []float32) {}
func drop(string) error                                { return errLinux }
func limitGroup(string, int64) error                   { return errLinux }
func joinGroup(string) error                           { return errLinux }
