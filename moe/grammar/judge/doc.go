// Package judge holds texts that package grammar allows against a JSON Schema
// validator by others. It is a module of its own so that the library does not
// depend on that.
package judge
