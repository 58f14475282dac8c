//go:build tools

// Package probe pins grpc_health_probe, apart from the other tools because it
// asks for a newer Go and another grpc-go than they do.
package probe

import (
	_ "github.com/grpc-ecosystem/grpc-health-probe"
)
