// hot FILE: audit_orders of Go, which gives its profiles over HTTP at the address
// that it writes to FILE, for two minutes.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"regexp"
	"runtime"
	"sort"
	"sync"
	"time"
)

var (
	sku  = regexp.MustCompile(`sku-([0-9]+)(-[a-z]+)*`)
	mu   sync.Mutex
	kept [][]byte
)

//go:noinline
func audit_orders(orders map[string]any, id int) int {
	orders["id"] = id
	text, _ := json.Marshal(orders)
	return len(sku.ReplaceAllString(string(text), "$1"))
}

//go:noinline
func ship_order(id int) int {
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprintf("sku-%d", (id*7919+i*104729)%9973)
	}
	sort.Strings(names)
	return len(names[0])
}

//go:noinline
func place_order(orders map[string]any, id int) {
	n := audit_orders(orders, id) + ship_order(id)
	mu.Lock()
	defer mu.Unlock()
	kept = append(kept, make([]byte, n))
	if len(kept) > 5000 {
		kept = nil
	}
}

func work() {
	orders := map[string]any{}
	for i := 0; i < 40; i++ {
		orders[fmt.Sprint("item", i)] = []any{fmt.Sprintf("sku-%d-red", i), i, 1.5}
	}
	for id := 0; ; id++ {
		place_order(orders, id)
	}
}

func main() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, nil)
	go work()
	go work()
	os.WriteFile(os.Args[1]+".new", []byte("http://"+l.Addr().String()+"\n"), 0o644)
	os.Rename(os.Args[1]+".new", os.Args[1])
	time.Sleep(2 * time.Minute)
}
