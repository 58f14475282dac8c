// Command webget asks the debug endpoint as Go programs do, by net/http, and
// prints "ok name" or "FAIL name: why".
//
//	webget http://HOST:PORT
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 40 * time.Second}

func say(name string, good bool, why ...interface{}) {
	if good {
		fmt.Println("ok   " + name)
	} else {
		fmt.Printf("FAIL %s: %s\n", name, fmt.Sprint(why...))
	}
}

// ask returns the answer, its body, and whether its connection was used before.
func ask(method, url, body string) (*http.Response, []byte, bool) {
	var reused bool
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		say(method+" "+url, false, err)
		os.Exit(1)
	}
	if body == "" {
		req.Body = http.NoBody
	}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(),
		&httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			reused = i.Reused
		}}))
	res, err := client.Do(req)
	if err != nil {
		say(method+" "+url, false, err)
		os.Exit(1)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		say("the body of "+url, false, err)
	}
	return res, data, reused
}

// unzip returns what one gzip member holds, if there is nothing behind it.
func unzip(data []byte) ([]byte, error) {
	r := bytes.NewReader(data)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	raw, err := io.ReadAll(z)
	if err == nil && r.Len() > 0 {
		err = fmt.Errorf("%d bytes behind the gzip member", r.Len())
	}
	return raw, err
}

func main() {
	base := os.Args[1] + "/debug/pprof/"

	res, data, _ := ask("GET", base+"profile?seconds=1", "")
	say("net/http gets a profile", res.StatusCode == 200, res.Status, data)
	for _, h := range [][2]string{
		{"Content-Type", "application/octet-stream"},
		{"Content-Disposition", `attachment; filename="profile"`},
		{"X-Content-Type-Options", "nosniff"},
		{"Content-Encoding", ""},
	} {
		got := res.Header.Get(h[0])
		say("Go's header "+h[0], got == h[1], got)
	}
	say("net/http did not unpack it", !res.Uncompressed)
	raw, err := unzip(data)
	say("compress/gzip unpacks it", err == nil, err)
	say("there is a profile in it", len(raw) > 200 &&
		bytes.Contains(raw, []byte("nanoseconds")), len(raw), " bytes")

	_, _, reused := ask("GET", base+"cmdline", "")
	say("net/http keeps the connection", reused)
	res, data, reused = ask("POST", base+"symbol", "0x1+0x2")
	say("net/http asks for symbols", res.StatusCode == 200 &&
		bytes.HasPrefix(data, []byte("num_symbols: ")), res.Status, data)
	say("and keeps the connection", reused)
	res, data, _ = ask("GET", base+"nothing", "")
	say("net/http is told 404", res.StatusCode == 404, res.Status)
}
