// Chat talks with a model in the terminal:
//
//	go run ./examples/chat -model model.gguf
//	go run ./examples/chat -model model.gguf -session trip.chat   # goes on where it was left
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/coterie-go/coterie/internal/cli"
	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/moetest"
)

func main() {
	path := flag.String("model", "", "GGUF file (the first of a split one) or hub directory; the embedded Tale if empty, which goes on with what you write")
	system := flag.String("system", "", "what the model is told before the conversation")
	file := flag.String("session", "", "file that keeps the conversation, and beside it FILE.state the model's state")
	template := flag.String("template", "", "file with a chat template to use instead of the checkpoint's own")
	think := flag.Bool("think", true, "let models think that can be told not to")
	n := flag.Int("n", 0, "tokens of an answer at most; 0 for up to the context's end")
	temperature := flag.Float64("temperature", 0.7, "0 takes the most likely token each time")
	topP := flag.Float64("top-p", 0.95, "choose among the most likely tokens that together reach this probability")
	minP := flag.Float64("min-p", 0, "leave out tokens less than this times as likely as the most likely")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "the same seed gives the same conversation on every machine")
	options := cli.ModelFlags()
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, `Talk with a model. Its answer comes as it is written; what it thinks first is
dimmed. Control-C breaks off an answer, and at the prompt ends the program, as
does the end of the input. A line that ends in a backslash goes on in the next.

usage: chat [-model M] [-session FILE] [-system TEXT]

A line that begins with a slash is an instruction:

  /undo          forget the last question and its answer
  /again         answer the last question anew
  /reset         begin a new conversation
  /system TEXT   begin one with other instructions
  /help          this list

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	c := config{
		template: *template, system: *system, file: *file, think: *think,
		decorate: cli.Terminal(os.Stdout) && cli.Terminal(os.Stdin),
		sampling: moe.Sampling{Temperature: float32(*temperature), TopP: float32(*topP), MinP: float32(*minP), Seed: *seed, MaxTokens: *n, Special: true},
	}
	if err := run(context.Background(), *path, options(), c, interrupts); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path string, opts []moe.Option, c config, interrupts <-chan os.Signal) error {
	m, err := open(path, opts)
	if err != nil {
		return err
	}
	defer m.Close()
	t, err := newTalk(m, c)
	if err != nil {
		return err
	}
	return t.loop(ctx, os.Stdin, os.Stdout, interrupts)
}

func open(path string, opts []moe.Option) (*moe.Model, error) {
	if path == "" {
		return moetest.Tale(opts...)
	}
	return moe.Open(path, opts...)
}
