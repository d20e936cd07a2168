// Package api holds the exported surface of the public packages, in api.txt, and
// the test that compares it with the code, so that a break is a decision.
package api
