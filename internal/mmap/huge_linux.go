package mmap

import "golang.org/x/sys/unix"

func huge(b []byte) { unix.Madvise(b, unix.MADV_HUGEPAGE) }
