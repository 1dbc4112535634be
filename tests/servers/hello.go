// A hello server in Go, and what Go's runtime asks a kernel for: ADDRESS [stay].
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const hello = "hello from Go"

func say(what string, is bool, err error) {
	if is && err == nil {
		fmt.Println("ok", what)
	} else {
		fmt.Println("FAILED", what, err)
	}
}

func get(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}

func atOnce(url string, count int) int64 {
	var all sync.WaitGroup
	var right int64
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if get(url) == hello {
				atomic.AddInt64(&right, 1)
			}
		}()
	}
	all.Wait()
	return right
}

func overLocalSocket(path string) (string, error) {
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return "", err
	}
	go func() {
		if client, err := net.Dial("unix", path); err == nil {
			client.Write([]byte("local"))
			client.Close()
		}
	}()
	server, err := listener.Accept()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(server)
	return string(text), err
}

func main() {
	visited := make(chan bool, 1)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, hello) })
	http.HandleFunc("/visited", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, hello)
		visited <- true
	})
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go http.Serve(listener, nil)
	if len(os.Args) > 2 {
		<-visited
		time.Sleep(time.Second)
		return
	}
	url := "http://" + os.Args[1] + "/"
	answer := get(url)
	say("a request", answer == hello, nil)
	say("200 at once", atOnce(url, 200) == 200, nil)
	err = os.WriteFile("/tmp/go-file", []byte("kept"), 0o600)
	kept, _ := os.ReadFile("/tmp/go-file")
	say("a file", string(kept) == "kept", err)
	before := time.Now()
	time.Sleep(50 * time.Millisecond)
	say("a sleep", time.Since(before) >= 50*time.Millisecond, nil)
	out, err := exec.Command("echo", "child").Output()
	say("a child", string(out) == "child\n", err)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	say("a signal", <-signals == syscall.SIGUSR1, nil)
	text, err := overLocalSocket("/tmp/go-socket")
	say("a local socket", text == "local", err)
}
