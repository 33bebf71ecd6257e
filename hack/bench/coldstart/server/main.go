// coldserver is the smallest possible model server, so that a cold start measures the platform and not the model.
package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/ping", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/invocations", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}\n")) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
