package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const fields = "Host: iris.default\r\nContent-Type: application/json\r\nAccept: application/json\r\nUser-Agent: bench/1.0\r\n" +
	"X-Request-Id: 0123456789abcdef0123456789abcdef\r\nAuthorization: Bearer abcdefghijklmnopqrstuvwxyz0123456789\r\n"

// client sends requests one after the other until end. It returns the duration of each request, and how many requests
// had a status other than 200.
func client(address string, request []byte, end time.Time) (took []time.Duration, failed int) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, 1
	}
	defer connection.Close()
	in := bufio.NewReader(connection)
	for begin := time.Now(); begin.Before(end); {
		if _, err := connection.Write(request); err != nil {
			return took, failed + 1
		}
		first, _, err := message(in)
		if err != nil {
			return took, failed + 1
		}
		if !strings.HasPrefix(first, "HTTP/1.1 200") {
			failed++
		}
		now := time.Now()
		took = append(took, now.Sub(begin))
		begin = now
	}
	return took, failed
}

func load(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	address := flags.String("address", "127.0.0.1:8080", "address of the proxy")
	path := flags.String("path", "/endpoints/iris/invocations", "path of the requests")
	connections := flags.Int("connections", 64, "number of connections")
	seconds := flags.Float64("seconds", 2, "duration")
	size := flags.Int("size", 1024, "bytes of each body")
	flags.Parse(arguments)

	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", *path, fields, *size, strings.Repeat("a", *size))
	begin := time.Now()
	end := begin.Add(time.Duration(*seconds * float64(time.Second)))
	var all []time.Duration
	var failed int
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range *connections {
		clients.Go(func() {
			took, bad := client(*address, request, end)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			failed += bad
		})
	}
	clients.Wait()
	elapsed := time.Since(begin).Seconds()
	slices.Sort(all)
	at := func(part float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(part*float64(len(all)-1))].Nanoseconds()) / 1000
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"requests": len(all), "failed": failed, "seconds": elapsed, "p50_us": at(.5), "p99_us": at(.99),
	})
}
