package moe

// ahead decides whether reading experts ahead of need pays.
type ahead struct{}
