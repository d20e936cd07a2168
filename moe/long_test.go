package moe_test

import "os"

// long reports whether COTERIE_LONG=1 asks for the long forms of tests.
func long() bool { return os.Getenv("COTERIE_LONG") != "" }
