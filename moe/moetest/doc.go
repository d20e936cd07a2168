// Package moetest provides models for tests: real ones, small enough to run in a
// unit test, with results that are the same bits on every machine.
package moetest
