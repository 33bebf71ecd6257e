// The programs that `make bench-warm` needs in addition to Kindler, in one binary on the standard library alone:
//
//	proxy   a reverse proxy like Knative's activator: httputil.ReverseProxy behind a limit of concurrent requests. It
//	        sends each request to the least loaded pod, and responds with 429 above the limit
//	model   a model server that only reads a request and responds with 1 KiB
//	load    clients on keep-alive connections; each sends its next request when it has read the response
package main

import (
	"log"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"proxy": proxy, "model": model, "load": load}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: bench-warm proxy|model|load [flags]")
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}
