package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// answer is a response on its way: it knows whether it has begun, and as what.
type answer struct {
	http.ResponseWriter
	start  time.Time
	status int
	stream bool
	usage  usage
}

// usage is OpenAI's count of tokens.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// fail answers with an error; in a stream that has begun, as an event.
func (a *answer) fail(e *apiError) {
	body := map[string]any{"error": e}
	switch {
	case a.stream:
		a.event(body)
	case a.status == 0:
		writeJSON(a, e.status, body)
	}
}

// begin starts a stream of events.
func (a *answer) begin() {
	a.stream = true
	a.Header().Set("Content-Type", "text/event-stream")
	a.Header().Set("Cache-Control", "no-store")
	a.WriteHeader(http.StatusOK)
}

// event sends a value, or a string as it is.
func (a *answer) event(v any) error {
	var b bytes.Buffer
	b.WriteString("data: ")
	if s, ok := v.(string); ok {
		b.WriteString(s + "\n")
	} else {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	b.WriteByte('\n')
	if _, err := a.Write(b.Bytes()); err != nil {
		return err
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}
