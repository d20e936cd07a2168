// Server answers OpenAI's HTTP interface for one model, by default the one that the
// library embeds:
//
//	go run ./examples/server -model model.gguf
//	curl localhost:8080/v1/chat/completions -H 'Content-Type: application/json' \
//	    -d '{"messages": [{"role": "user", "content": "Hello"}]}'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func main() {
	var o options
	path := flag.String("model", "", "GGUF file (the first of a split one) or hub directory; the embedded Tale if empty")
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on; anything but loopback needs -key or $COTERIE_API_KEY")
	key := flag.String("key", "", "key that clients must send; better given as $COTERIE_API_KEY, which others on the machine cannot see")
	flag.StringVar(&o.name, "name", "", "the model's name to clients; by default that of the file")
	template := flag.String("template", "", "file with a chat template to use instead of the checkpoint's own")
	opening := cli.ModelFlags()
	flag.IntVar(&o.parallel, "parallel", 4, "requests answered at the same time")
	flag.IntVar(&o.queue, "queue", 32, "requests that may wait; more are refused with status 429")
	flag.IntVar(&o.cache, "cache", 8, "conversations whose state is kept for their next message")
	flag.IntVar(&o.maxTokens, "max-tokens", 0, "tokens an answer may have, 0 for up to the context's end")
	flag.Int64Var(&o.maxBody, "max-body", 8<<20, "bytes a request may have")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Minute, "time an answer may take")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Serve a model over OpenAI's HTTP interface: /v1/chat/completions,
/v1/completions and /v1/models, with streaming, stop texts, log-probabilities,
seeds and JSON schemas. Any OpenAI client works with the base URL
http://127.0.0.1:8080/v1.

usage: server [-model M] [-addr HOST:PORT] [-parallel N] [-timeout D]

Only this machine can reach it unless -addr says otherwise. Requests go to
standard error as JSON lines.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	if o.key = *key; o.key == "" {
		o.key = os.Getenv("COTERIE_API_KEY")
	}
	o.log = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path, *addr, *template, opening(), o); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path, addr, template string, opts []moe.Option, o options) error {
	m, name, err := open(path, opts)
	if err != nil {
		return err
	}
	defer m.Close()
	if o.name == "" {
		o.name = name
	}
	if template != "" {
		b, err := os.ReadFile(template)
		if err != nil {
			return err
		}
		o.template = string(b)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	if a, ok := l.Addr().(*net.TCPAddr); o.key == "" && (!ok || !a.IP.IsLoopback()) {
		return fmt.Errorf("%s can be reached by others: give a key ($COTERIE_API_KEY) or a loopback address", l.Addr())
	}
	s, err := newServer(m, o)
	if err != nil {
		return err
	}
	defer s.close()
	h := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	o.log.Info("listening", "url", "http://"+l.Addr().String()+"/v1", "model", o.name)
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done(): // the requests' context is done, too: they end by themselves
	}
	wait, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Shutdown(wait); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func open(path string, opts []moe.Option) (*moe.Model, string, error) {
	if path == "" {
		m, err := moetest.Tale(opts...)
		return m, "tale", err
	}
	m, err := moe.Open(path, opts...)
	return m, filepath.Base(filepath.Clean(path)), err
}
