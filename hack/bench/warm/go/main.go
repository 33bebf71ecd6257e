// What `make bench-warm` needs beside Kindler itself, in one program of the standard library alone:
//
//	standin   what Knative's activator is made of: httputil.ReverseProxy, a limit of requests under way (429 above), the least loaded pod
//	model     a model server that does nothing but read a request and answer 1 KiB
//	load      clients on kept connections, each sending its next request when it has read an answer
package main

import (
	"log"
	"os"
)

func main() {
	commands := map[string]func([]string) error{"standin": standin, "model": model, "load": load}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: bench-warm standin|model|load [flags]")
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}
