package main

import (
	"context"
	"flag"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type pod struct {
	url     *url.URL
	running int
}

// endpoint admits at most limit concurrent requests and sends each to the pod with the fewest.
type endpoint struct {
	mu             sync.Mutex
	limit, running int
	pods           []*pod
}

// admit returns the pod for a request, or nil above the limit.
func (e *endpoint) admit() *pod {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running >= e.limit {
		return nil
	}
	least := e.pods[0]
	for _, p := range e.pods[1:] {
		if p.running < least.running {
			least = p
		}
	}
	e.running++
	least.running++
	return least
}

func (e *endpoint) release(p *pod) {
	e.mu.Lock()
	e.running--
	p.running--
	e.mu.Unlock()
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, 32*1024)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int)        { s.code = code; s.ResponseWriter.WriteHeader(code) }
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
func (s *status) Flush()                      { s.ResponseWriter.(http.Flusher).Flush() }

var bounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// podKey is the key of the chosen pod in the context of a request.
type podKey struct{}

func proxy(arguments []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:8081", "address")
	pods := flags.String("pods", "127.0.0.1:9000", "addresses of pods, separated by commas")
	limit := flags.Int("limit", 200, "concurrent requests")
	flags.Parse(arguments)

	e := &endpoint{limit: *limit}
	for _, address := range strings.Split(*pods, ",") {
		e.pods = append(e.pods, &pod{url: &url.URL{Scheme: "http", Host: address}})
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns = 0
	transport.MaxIdleConnsPerHost = 1000
	transport.DisableCompression = true
	transport.ForceAttemptHTTP2 = false
	reverse := &httputil.ReverseProxy{
		Transport:     transport,
		BufferPool:    &buffers{},
		FlushInterval: 20 * time.Millisecond, // as in Knative
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(r.In.Context().Value(podKey{}).(*pod).url)
			r.Out.URL.Path = "/invocations"
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
	}
	var codes [6]atomic.Int64
	counts := make([]atomic.Int64, len(bounds)+1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := e.admit()
		if p == nil {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		begin := time.Now()
		response := &status{w, http.StatusOK}
		defer func() {
			e.release(p)
			codes[response.code/100%6].Add(1)
			counts[sort.SearchFloat64s(bounds, time.Since(begin).Seconds())].Add(1)
		}()
		reverse.ServeHTTP(response, r.WithContext(context.WithValue(r.Context(), podKey{}, p)))
	})
	return (&http.Server{Addr: *listen, Handler: handler}).ListenAndServe()
}
