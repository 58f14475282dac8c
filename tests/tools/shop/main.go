// shop is the Go server that README measures: a gRPC service with reflection,
// and net/http/pprof on a port of its own.
//
//	shop [-listen ADDR] [-pprof ADDR] [-audits N]
//
// It prints "listening on HOST:PORT" and "pprof on HOST:PORT".  Each Place
// prices the order and writes N audit records.  It exits after ten minutes.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"grpcprof.test/tools/shop/shopv1"
)

type orders struct{ audits int }

// price adds up an order in cents: a SKU costs the sum of its bytes.
func price(order *shopv1.Order) int64 {
	var cents int64
	for _, item := range order.Items {
		for _, b := range []byte(item.Sku) {
			cents += int64(b) * int64(item.Count)
		}
	}
	return cents
}

// audit returns the id of an order's audit record: the hash of its JSON.
func audit(order *shopv1.Order, n int) string {
	record, err := json.Marshal(struct {
		N     int
		Order *shopv1.Order
	}{n, order})
	if err != nil {
		log.Fatal(err)
	}
	sum := sha256.Sum256(record)
	return hex.EncodeToString(sum[:8])
}

func (s orders) Place(_ context.Context, order *shopv1.Order) (*shopv1.Receipt, error) {
	if len(order.Items) == 0 {
		return nil, status.Error(codes.InvalidArgument, "an order needs items")
	}
	receipt := &shopv1.Receipt{Cents: price(order)}
	for n := 0; n < s.audits; n++ {
		receipt.Id = audit(order, n)
	}
	return receipt, nil
}

// What protoc-gen-go-grpc would write for the one method.
var service = grpc.ServiceDesc{
	ServiceName: "shop.v1.Orders",
	HandlerType: (*any)(nil),
	Metadata:    "shop.proto",
	Methods: []grpc.MethodDesc{{MethodName: "Place",
		Handler: func(srv any, ctx context.Context, decode func(any) error,
			_ grpc.UnaryServerInterceptor) (any, error) {
			var order shopv1.Order
			if err := decode(&order); err != nil {
				return nil, err
			}
			return srv.(orders).Place(ctx, &order)
		}}},
}

func listen(what, addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s on %s\n", what, l.Addr())
	return l
}

func main() {
	addr := flag.String("listen", "127.0.0.1:50051", "where it serves gRPC")
	pprof := flag.String("pprof", "127.0.0.1:6060", "where it serves pprof")
	audits := flag.Int("audits", 60, "audit records for each order")
	flag.Parse()
	server := grpc.NewServer()
	server.RegisterService(&service, orders{*audits})
	reflection.Register(server)
	l := listen("listening", *addr)
	go http.Serve(listen("pprof", *pprof), nil)
	time.AfterFunc(10*time.Minute, func() { os.Exit(0) })
	log.Fatal(server.Serve(l))
}
