// A Greeter on grpc-go, for tests/bench/serve.sh, tests/run and tests/load:
//
//	greeter -port 0 -work 0 -sum 0 [-cert FILE -key FILE [-ca FILE]]
//
// It speaks TLS with -cert; with -ca it requires a client certificate.
//
// With -sum 1 it measures the CPU time of its loop and prints it each second and
// when SIGTERM ends it: "calls N loop_ns N cpu_ns N", the last being the CPU time
// of the process.
//
// HelloRequest and HelloReply have on the wire the form of StringValue, whose
// generated code protobuf's module brings, so nothing is generated here.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type greeter struct {
	work   uint64
	sum    bool
	calls  atomic.Uint64
	loopNs atomic.Int64
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

const (
	processCPU = 2 // CLOCK_PROCESS_CPUTIME_ID
	threadCPU  = 3 // CLOCK_THREAD_CPUTIME_ID
)

// cpuNs is the CPU time of this thread or process.
func cpuNs(clock uintptr) int64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock,
		uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func (g *greeter) loop() uint64 {
	if !g.sum {
		return spin(g.work)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := cpuNs(threadCPU)
	sum := spin(g.work)
	g.loopNs.Add(cpuNs(threadCPU) - began)
	return sum
}

// printSums prints them each second, until SIGTERM.
func (g *greeter) printSums() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	second := time.NewTicker(time.Second)
	for ends := false; !ends; {
		select {
		case <-second.C:
		case <-term:
			ends = true
		}
		fmt.Printf("calls %d loop_ns %d cpu_ns %d\n", g.calls.Load(),
			g.loopNs.Load(), cpuNs(processCPU))
	}
	os.Exit(0)
}

func (g *greeter) hello(name string) string {
	if g.loop() == 1 { // never for the work asked here
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

// secure is the server option for the files cert, key and, if not "", ca.
func secure(cert, key, ca string) grpc.ServerOption {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			log.Fatal(err)
		}
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(pem)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return grpc.Creds(credentials.NewTLS(config))
}

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1; 0: any")
	work := flag.Uint64("work", 0, "iterations in each call")
	sum := flag.Int("sum", 0, "1: print the CPU time of the loop")
	cert := flag.String("cert", "", "PEM file: speak TLS")
	key := flag.String("key", "", "PEM file: key of -cert")
	ca := flag.String("ca", "", "PEM file: issuers of clients' certificates")
	flag.Parse()

	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	g := &greeter{work: *work, sum: *sum == 1}
	var options []grpc.ServerOption
	if *cert != "" {
		options = append(options, secure(*cert, *key, *ca))
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "helloworld.Greeter",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "SayHello", Handler: sayHello}},
	}, g)
	fmt.Printf("listening on %s\n", l.Addr())
	if g.sum {
		go g.printSums()
	}
	log.Fatal(s.Serve(l))
}
