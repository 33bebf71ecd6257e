package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
)

// message reads one request or response. It returns the first line and the length of the body.
func message(in *bufio.Reader) (first string, length int, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return first, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if first == "" {
			first = string(line)
		} else if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return first, 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, in, int64(length))
	return first, length, err
}

func model(arguments []string) error {
	flags := flag.NewFlagSet("model", flag.ExitOnError)
	listen := flags.String("listen", "0.0.0.0:9000", "address")
	flags.Parse(arguments)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	body := bytes.Repeat([]byte("a"), 1024)
	response := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			in := bufio.NewReader(connection)
			for {
				if _, _, err := message(in); err != nil {
					return
				}
				if _, err := connection.Write(response); err != nil {
					return
				}
			}
		}()
	}
}
