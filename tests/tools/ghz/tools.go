//go:build tools

// Pins the version of the load generator that make bench-load measures beside
// ours.
package tools

import _ "github.com/bojand/ghz/cmd/ghz"
