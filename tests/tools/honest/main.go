// Honest calls a server as busy clients do that mean no harm: with deadlines
// that pass, calls that are given up, a long download, a chat.  No connection
// may be closed on any of them.
//
//	honest HOST:PORT SECONDS    prints "ok name" or "FAIL name: why"
//
// The server must be slow (some 10 ms a greeting) and have the interop service.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const greeter = "/helloworld.Greeter/"

// watcher counts the connections that ended.
type watcher struct{ began, ended int64 }

type ctx = context.Context

func (*watcher) TagRPC(c ctx, _ *stats.RPCTagInfo) ctx   { return c }
func (*watcher) TagConn(c ctx, _ *stats.ConnTagInfo) ctx { return c }
func (*watcher) HandleRPC(ctx, stats.RPCStats)           {}
func (w *watcher) HandleConn(_ ctx, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		atomic.AddInt64(&w.began, 1)
	case *stats.ConnEnd:
		atomic.AddInt64(&w.ended, 1)
	}
}

// tally counts how calls ended.
type tally struct {
	sync.Mutex
	by map[codes.Code]int
}

func (t *tally) add(err error) {
	t.Lock()
	t.by[status.Code(err)]++
	t.Unlock()
}

// A name, and a greeting, have the shape of a StringValue: field 1, a string.
func name(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }

// busy runs fn in n goroutines over one connection until the time is over; all
// calls must end with one of the codes, some with the first.
func busy(what, addr string, d time.Duration, n int, want []codes.Code,
	fn func(*grpc.ClientConn) error) {
	w := &watcher{}
	conn, err := grpc.Dial(addr, grpc.WithStatsHandler(w), grpc.WithBlock(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 10 * time.Second, Timeout: 20 * time.Second,
			PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<24)))
	if err != nil {
		fmt.Printf("FAIL %s: %v\n", what, err)
		return
	}
	t := tally{by: map[codes.Code]int{}}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(end) {
				t.add(fn(conn))
			}
		}()
	}
	wg.Wait()
	ended := atomic.LoadInt64(&w.ended)
	conn.Close()
	good := ended == 0 && w.began == 1 && t.by[want[0]] > 0
	for code := range t.by {
		known := false
		for _, c := range want {
			known = known || c == code
		}
		good = good && known
	}
	if good {
		fmt.Printf("ok   %s\n", what)
	} else {
		fmt.Printf("FAIL %s: %d of %d connections closed, calls %v\n", what,
			ended, w.began, t.by)
	}
}

func hurried(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(),
		50*time.Millisecond)
	defer cancel()
	return conn.Invoke(ctx, greeter+"SayHello", name("busy"), name(""))
}

func open(ctx context.Context, conn *grpc.ClientConn) (grpc.ClientStream,
	error) {
	return conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true,
		ClientStreams: true}, greeter+"SayHelloBidiStream")
}

func turn(s grpc.ClientStream) error {
	if err := s.SendMsg(name("turn")); err != nil {
		return s.RecvMsg(name(""))
	}
	return s.RecvMsg(name(""))
}

// Given up once the first reply is here.
func enough(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := open(ctx, conn)
	if err == nil {
		err = turn(s)
	}
	return err
}

// Several turns, with silence between them where pause says so.
func chat(pause time.Duration) func(*grpc.ClientConn) error {
	return func(conn *grpc.ClientConn) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s, err := open(ctx, conn)
		for i := 0; i < 3 && err == nil; i++ {
			err = turn(s)
			time.Sleep(pause)
		}
		return err
	}
}

// count messages of 32 KiB in one stream.
func download(count int) func(*grpc.ClientConn) error {
	return func(conn *grpc.ClientConn) error {
		const size = 32 << 10
		ctx, cancel := context.WithTimeout(context.Background(),
			5*time.Minute)
		defer cancel()
		r := &testpb.StreamingOutputCallRequest{}
		for i := 0; i < count; i++ {
			r.ResponseParameters = append(r.ResponseParameters,
				&testpb.ResponseParameters{Size: size})
		}
		s, err := testpb.NewTestServiceClient(conn).StreamingOutputCall(ctx, r)
		for i := 0; i < count && err == nil; i++ {
			var m *testpb.StreamingOutputCallResponse
			if m, err = s.Recv(); err == nil && len(m.Payload.Body) != size {
				return status.Error(codes.DataLoss, "size")
			}
		}
		return err
	}
}

// An upload that the server answers at once: what is under way comes too late.
func unwanted(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true},
		greeter+"NoSuchMethod")
	some := name(strings.Repeat("x", 2000))
	for err == nil {
		err = s.SendMsg(some)
	}
	if s != nil {
		err = s.RecvMsg(name(""))
	}
	return err
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: honest HOST:PORT SECONDS")
		os.Exit(2)
	}
	addr := os.Args[1]
	seconds, _ := strconv.Atoi(os.Args[2])
	d := time.Duration(seconds) * time.Second
	busy("100 callers whose deadlines pass", addr, d, 100,
		[]codes.Code{codes.DeadlineExceeded, codes.OK}, hurried)
	busy("30 callers who give up after a reply", addr, d, 30,
		[]codes.Code{codes.OK}, enough)
	busy("10 chats", addr, d, 10, []codes.Code{codes.OK}, chat(0))
	busy("50 uploads that are answered at once", addr, d, 50,
		[]codes.Code{codes.Unimplemented}, unwanted)
	busy("2 downloads of 64 MiB", addr, d, 2, []codes.Code{codes.OK},
		download(2048))
	if seconds >= 10 { // grpc-go asks after 10 s of silence, no sooner
		busy("a download of 1 GiB", addr, d, 1, []codes.Code{codes.OK},
			download(32768))
		busy("a chat kept alive through silence", addr, d, 2,
			[]codes.Code{codes.OK}, chat(11*time.Second))
	}
}
