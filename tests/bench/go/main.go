// A Greeter on grpc-go, for tests/bench/serve.sh:
//
//	greeter -port 0 -work 0
//
// HelloRequest and HelloReply have on the wire the form of StringValue, whose
// generated code protobuf's module brings, so nothing is generated here.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type greeter struct {
	work  uint64
	calls atomic.Uint64
}

var sink uint64

// spin is the sum that grpcprof makes too, one dependent step at a time.
//
//go:noinline
func spin(n uint64) uint64 {
	var sum uint64
	for i := uint64(0); i < n; i++ {
		sum += i * i
	}
	return sum
}

func (g *greeter) hello(name string) string {
	if spin(g.work) == 1 { // never for the work asked here
		sink++
	}
	return "Hello " + name + "! (request #" +
		strconv.FormatUint(g.calls.Add(1), 10) + ")"
}

// sayHello does what protoc-gen-go-grpc writes for a unary method.
func sayHello(srv any, ctx context.Context, decode func(any) error,
	intercept grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.StringValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	return wrapperspb.String(srv.(*greeter).hello(in.Value)), nil
}

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1; 0: any")
	work := flag.Uint64("work", 0, "iterations in each call")
	flag.Parse()

	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "helloworld.Greeter",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "SayHello", Handler: sayHello}},
	}, &greeter{work: *work})
	fmt.Printf("listening on %s\n", l.Addr())
	log.Fatal(s.Serve(l))
}
