// echo is a server on grpc-go that knows a service by its descriptors alone: it
// answers reflection, writes each message that comes to a file, and burns CPU in
// a function with a name for each, which net/http/pprof shows.
//
//	echo -set SET [-log FILE] [-burn N] [-reflection v1|v1alpha|both]
//	     [-compress NAME] [-wait]
//
// It says "listening on HOST:PORT" and "pprof on HOST:PORT", and ends by itself
// after two minutes.  A message is answered by itself; where only answers
// stream, thrice; where only requests do, by the last of them.  With -compress
// answers are compressed by NAME, if the client takes that; with -wait a call is
// not answered before it has ended.
package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
)

// raw passes bytes through, and anything else by protobuf.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) {
	if b, ok := v.(*[]byte); ok {
		return *b, nil
	}
	return proto.Marshal(v.(proto.Message))
}

func (raw) Unmarshal(data []byte, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = append([]byte(nil), data...)
		return nil
	}
	return proto.Unmarshal(data, v.(proto.Message))
}

var sink uint64

//go:noinline
func burnCPU(n int) {
	var sum uint64
	for i := 0; i < n; i++ {
		sum += uint64(i) * uint64(i) >> (sum & 1)
	}
	sink += sum
}

// method is a method's kind.
type method struct{ up, down bool }

// answer takes a call to its end; each message it got is told to note.
func (k method) answer(s grpc.ServerStream, note func([]byte)) error {
	var last []byte
	for {
		var m []byte
		if err := s.RecvMsg(&m); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		note(m)
		last = m
		if !k.up || !k.down {
			continue
		}
		if err := s.SendMsg(&m); err != nil {
			return err
		}
	}
	times := 1
	if k.up && k.down {
		times = 0
	} else if k.down {
		times = 3
	}
	for ; times > 0; times-- {
		if err := s.SendMsg(&last); err != nil {
			return err
		}
	}
	return nil
}

// services is what the descriptors declare.
type services map[string]grpc.ServiceInfo

func (s services) GetServiceInfo() map[string]grpc.ServiceInfo { return s }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func main() {
	set := flag.String("set", "", "a FileDescriptorSet")
	log := flag.String("log", os.DevNull, "where messages go, as hex")
	burn := flag.Int("burn", 0, "iterations for each message")
	compress := flag.String("compress", "", "gzip, or another name")
	wait := flag.Bool("wait", false, "let calls wait until they have ended")
	which := flag.String("reflection", "both", "v1, v1alpha or both")
	flag.Parse()
	data, err := os.ReadFile(*set)
	must(err)
	var fds descriptorpb.FileDescriptorSet
	must(proto.Unmarshal(data, &fds))
	files, err := protodesc.NewFiles(&fds)
	must(err)
	known, kinds := services{}, map[string]method{}
	for _, f := range fds.File {
		for _, s := range f.Service {
			name := f.GetPackage() + "." + s.GetName()
			known[name] = grpc.ServiceInfo{}
			for _, m := range s.Method {
				kinds["/"+name+"/"+m.GetName()] = method{
					m.GetClientStreaming(), m.GetServerStreaming()}
			}
		}
	}
	out, err := os.Create(*log)
	must(err)
	var lock sync.Mutex
	encoding.RegisterCodec(raw{})
	server := grpc.NewServer(grpc.UnknownServiceHandler(
		func(_ any, s grpc.ServerStream) error {
			name, _ := grpc.MethodFromServerStream(s)
			kind, ok := kinds[name]
			if !ok {
				return status.Errorf(codes.Unimplemented, "no %s", name)
			}
			if *compress != "" {
				err := grpc.SetSendCompressor(s.Context(), *compress)
				if err != nil {
					return status.Error(codes.Internal, err.Error())
				}
			}
			if *wait {
				<-s.Context().Done()
			}
			return kind.answer(s, func(m []byte) {
				lock.Lock()
				fmt.Fprintf(out, "%x\n", m)
				lock.Unlock()
				burnCPU(*burn)
			})
		}))
	options := reflection.ServerOptions{Services: known,
		DescriptorResolver: files}
	if *which == "v1alpha" || *which == "both" {
		v1alpha.RegisterServerReflectionServer(server,
			reflection.NewServer(options))
	}
	if *which != "v1alpha" {
		v1.RegisterServerReflectionServer(server,
			reflection.NewServerV1(options))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(web, nil)
	fmt.Printf("listening on %s\npprof on %s\n", l.Addr(), web.Addr())
	time.AfterFunc(2*time.Minute, func() { os.Exit(0) })
	must(server.Serve(l))
}
