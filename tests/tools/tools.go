//go:build tools

// Package tools names the foreign programs that the tests use as judges, so
// that go.mod pins each of them and go.sum says what its bytes must be.
package tools

import (
	_ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
	_ "github.com/google/pprof"
	_ "github.com/summerwind/h2spec/cmd/h2spec"
	_ "google.golang.org/grpc/interop/client"
)
