package router

import "errors"

// The sentinels below are wrapped with the field or argument concerned, what was expected of it and what was found.
var (
	// ErrSpec marks a Spec that describes no router.
	ErrSpec = errors.New("router: unusable spec")
	// ErrShape marks a slice whose length does not fit.
	ErrShape = errors.New("router: length does not fit")
	// ErrID marks an expert id outside 0 to experts-1.
	ErrID = errors.New("router: expert id out of range")
)
