module github.com/coterie-go/coterie/moe/grammar/judge

go 1.26.0

replace github.com/coterie-go/coterie => ../../..

require (
	github.com/coterie-go/coterie v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2
)

require (
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.39.0 // indirect
)
