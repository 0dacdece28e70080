package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// serveHTTP serves the same few bytes with the server of Go's own library.
func serveHTTP(params, time.Duration) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	body := []byte("Hello, World!")
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		header := w.Header()
		header["Content-Type"] = []string{"text/plain"}
		// The others send none.
		header["Date"] = nil
		w.Write(body)
	}))
}
