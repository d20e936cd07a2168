package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coterie-go/coterie/moe"
	"github.com/coterie-go/coterie/moe/chat"
	"github.com/coterie-go/coterie/moe/grammar"
	"github.com/coterie-go/coterie/moe/tokenizer"
)

type options struct {
	name      string
	key       string // empty: none is asked for
	template  string // empty: the checkpoint's
	parallel  int
	queue     int
	cache     int // states kept
	maxTokens int // 0: up to the context's end
	maxBody   int64
	timeout   time.Duration
	log       *slog.Logger
}

// server answers requests about one model.
type server struct {
	o        options
	m        *moe.Model
	tok      *tokenizer.Tokenizer
	template *chat.Template
	vocab    func() *grammar.Vocabulary
	sched    *moe.Scheduler
	cache    cache
	started  int64
	slots    chan struct{}
	waiting  atomic.Int64
	count    atomic.Uint64
}

// plainTemplate serves models that were not made for conversations: the messages
// are put one after another, for the model to go on with.
const plainTemplate = "{% for m in messages %}{{ m.content }}\n{% endfor %}"

func newServer(m *moe.Model, o options) (*server, error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	src := o.template
	if src == "" {
		src = m.ChatTemplate()
	}
	if src == "" {
		src = plainTemplate
	}
	t, err := chat.Parse(src)
	if err != nil {
		return nil, err
	}
	o.parallel = max(o.parallel, 1)
	return &server{
		o: o, m: m, tok: tok, template: t, started: time.Now().Unix(),
		sched: moe.NewScheduler(m, moe.SchedulerOptions{Sequences: o.parallel}), cache: cache{size: o.cache},
		vocab: sync.OnceValue(func() *grammar.Vocabulary { return grammar.NewVocabulary(tok) }),
		slots: make(chan struct{}, o.parallel),
	}, nil
}

// close ends what is running.
func (s *server) close() { s.sched.Close() }

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /v1/models", s.guard(s.models))
	mux.HandleFunc("GET /v1/models/{id...}", s.guard(s.model))
	mux.HandleFunc("POST /v1/chat/completions", s.guard(s.work(s.chat)))
	mux.HandleFunc("POST /v1/completions", s.guard(s.work(s.complete)))
	mux.HandleFunc("/", s.guard(func(w http.ResponseWriter, r *http.Request) error {
		return &apiError{status: http.StatusNotFound, Message: fmt.Sprintf("%s %s is not there", r.Method, r.URL.Path), Type: "invalid_request_error", Code: "unknown_url"}
	}))
	return mux
}

// apiError is an error in OpenAI's shape.
type apiError struct {
	status  int
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   any    `json:"param"` // the field at fault, or null
	Code    any    `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// badRequest says what is wrong with a field of the request.
func badRequest(param, format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: "invalid_request_error", Param: param, Code: nil}
}

// asError turns any error into one in OpenAI's shape.
func asError(err error) *apiError {
	var e *apiError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &tooBig):
		return &apiError{status: http.StatusRequestEntityTooLarge, Message: fmt.Sprintf("the request has more than %d bytes", tooBig.Limit), Type: "invalid_request_error", Code: "request_too_large"}
	case errors.Is(err, moe.ErrContext):
		return &apiError{status: http.StatusBadRequest, Message: err.Error(), Type: "invalid_request_error", Param: "messages", Code: "context_length_exceeded"}
	case errors.Is(err, moe.ErrOption), errors.Is(err, moe.ErrToken), errors.Is(err, chat.ErrMessage), errors.Is(err, chat.ErrRefused), errors.Is(err, grammar.ErrSchema), errors.Is(err, grammar.ErrGrammar):
		return &apiError{status: http.StatusBadRequest, Message: err.Error(), Type: "invalid_request_error"}
	case errors.Is(err, context.DeadlineExceeded):
		return &apiError{status: http.StatusServiceUnavailable, Message: "the answer took longer than is allowed", Type: "server_error", Code: "timeout"}
	}
	return &apiError{status: http.StatusInternalServerError, Message: err.Error(), Type: "server_error"}
}

// guard logs a request, checks its key, and turns errors into answers.
func (s *server) guard(f func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := fmt.Sprintf("%x-%x", s.started, s.count.Add(1))
		out := &answer{ResponseWriter: w, start: time.Now()}
		out.Header().Set("X-Request-Id", id)
		defer func() {
			if v := recover(); v != nil {
				s.o.log.Error("panic", "id", id, "value", v, "stack", string(debug.Stack()))
				out.fail(&apiError{status: http.StatusInternalServerError, Message: "internal error", Type: "server_error"})
			}
			s.o.log.Info("request", "id", id, "method", r.Method, "path", r.URL.Path, "status", out.status, "ms", time.Since(out.start).Milliseconds(),
				"prompt", out.usage.Prompt, "completion", out.usage.Completion)
		}()
		if err := s.authorize(r); err != nil {
			out.fail(asError(err))
			return
		}
		if err := f(out, r); err != nil {
			if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
				out.status = 499 // the client is gone: nobody to tell
				return
			}
			out.fail(asError(err))
		}
	}
}

func (s *server) authorize(r *http.Request) error {
	if s.o.key == "" {
		return nil
	}
	key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	got, want := sha256.Sum256([]byte(key)), sha256.Sum256([]byte(s.o.key)) // equally long
	if subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
		return nil
	}
	return &apiError{status: http.StatusUnauthorized, Message: "a wrong key, or none", Type: "invalid_request_error", Code: "invalid_api_key"}
}

// work admits as many requests as may run at once; some more wait their turn.
func (s *server) work(f func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Browsers let any page send a text to this address, but not JSON.
		if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
			return &apiError{status: http.StatusUnsupportedMediaType, Message: "the content type must be application/json", Type: "invalid_request_error"}
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.o.timeout)
		defer cancel()
		select {
		case s.slots <- struct{}{}:
		default:
			if s.waiting.Add(1) > int64(s.o.queue) {
				s.waiting.Add(-1)
				w.Header().Set("Retry-After", "1")
				return &apiError{status: http.StatusTooManyRequests, Message: "too many requests are waiting", Type: "rate_limit_error", Code: "rate_limit_exceeded"}
			}
			select {
			case s.slots <- struct{}{}:
				s.waiting.Add(-1)
			case <-ctx.Done():
				s.waiting.Add(-1)
				return ctx.Err()
			}
		}
		defer func() { <-s.slots }()
		return f(w, r.WithContext(ctx))
	}
}

func (s *server) models(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{s.card()}})
}

func (s *server) model(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkModel(r.PathValue("id")); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.card())
}

func (s *server) card() map[string]any {
	return map[string]any{"id": s.o.name, "object": "model", "created": s.started, "owned_by": "coterie"}
}

func (s *server) checkModel(id string) error {
	if id != s.o.name {
		return &apiError{status: http.StatusNotFound, Message: fmt.Sprintf("model %q does not exist; this is %q", id, s.o.name), Type: "invalid_request_error", Param: "model", Code: "model_not_found"}
	}
	return nil
}

// read decodes the body of a request.
func (s *server) read(w http.ResponseWriter, r *http.Request, into any) error {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, s.o.maxBody)).Decode(into)
	var tooBig *http.MaxBytesError
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil || errors.As(err, &tooBig):
		return err
	case errors.As(err, &wrong):
		field := strings.TrimPrefix(wrong.Field, "common.")
		return badRequest(field, "%s: want %s, found %s", field, wrong.Type, wrong.Value)
	}
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return badRequest("", "the body is not the JSON that was expected: %v", err)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
