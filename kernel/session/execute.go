package session

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/ensemble-metamers/metamers/kernel/wire"
)

// work carries out executions, one after the other.
func (s *Session) work() {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.stopped {
			s.running, s.cancel = nil, nil
			s.wake.Wait()
		}
		if s.stopped {
			s.mu.Unlock()
			return
		}
		m := s.queue[0]
		s.queue = s.queue[1:]
		ctx, cancel := context.WithCancel(context.Background())
		s.running, s.cancel = m, cancel
		s.mu.Unlock()
		failed, stop := s.execute(ctx, m)
		cancel()
		if failed && stop {
			s.abort()
		}
	}
}

// abort answers the waiting executions unexecuted.
func (s *Session) abort() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, m := range queue {
		s.status(m, "busy")
		s.reply("shell", m, "execute_reply", map[string]any{"status": "aborted", "execution_count": s.count, "ename": "Aborted", "evalue": "an earlier cell failed", "traceback": []string{}})
		s.status(m, "idle")
	}
}

func (s *Session) execute(ctx context.Context, m *wire.Message) (failed, stop bool) {
	in := struct {
		Code         string            `json:"code"`
		Silent       bool              `json:"silent"`
		StoreHistory *bool             `json:"store_history"`
		Expressions  map[string]string `json:"user_expressions"`
		AllowStdin   *bool             `json:"allow_stdin"`
		StopOnError  *bool             `json:"stop_on_error"`
	}{}
	s.status(m, "busy")
	defer s.status(m, "idle")
	if err := json.Unmarshal(m.Content, &in); err != nil {
		s.reply("shell", m, "execute_reply", failure(&Failure{Name: "BadRequest", Value: err.Error()}, s.count))
		return true, false
	}
	store := !in.Silent && (in.StoreHistory == nil || *in.StoreHistory)
	if store {
		s.count++
		if err := s.history.Add(s.count, in.Code); err != nil {
			fmt.Fprintf(os.Stderr, "kernel: %v\n", err)
		}
	}
	if !in.Silent {
		s.publish(m, "execute_input", map[string]any{"code": in.Code, "execution_count": s.count})
	}
	allow := in.AllowStdin == nil || *in.AllowStdin
	out := &output{s: s, ctx: ctx, m: m, number: s.count, silent: in.Silent, stdin: allow}
	fail := s.interp.Execute(ctx, Request{Code: in.Code, Number: s.count, AllowStdin: allow}, out)
	var content map[string]any
	if fail == nil {
		content = map[string]any{"status": "ok", "execution_count": s.count, "payload": out.pages(), "user_expressions": s.expressions(ctx, in.Expressions)}
		if text, ok := out.value(); ok && store {
			s.history.AddOutput(s.count, text)
		}
	} else {
		content = failure(fail, s.count)
		content["payload"] = out.pages()
		if !in.Silent {
			s.publish(m, "error", map[string]any{"ename": fail.Name, "evalue": fail.Value, "traceback": content["traceback"]})
		}
	}
	s.server.Flush("iopub", flushTime)
	s.reply("shell", m, "execute_reply", content)
	return fail != nil, in.StopOnError == nil || *in.StopOnError
}

func failure(f *Failure, count int) map[string]any {
	trace := f.Traceback
	if len(trace) == 0 {
		trace = []string{f.Name + ": " + f.Value}
	}
	return map[string]any{"status": "error", "execution_count": count, "ename": f.Name, "evalue": f.Value, "traceback": trace}
}

// expressions evaluates a request's user_expressions.
func (s *Session) expressions(ctx context.Context, list map[string]string) map[string]any {
	out := map[string]any{}
	for name, code := range list {
		o := &output{s: s, ctx: ctx, silent: true}
		if f := s.interp.Execute(ctx, Request{Code: code, Number: s.count}, o); f != nil {
			out[name] = map[string]any{"status": "error", "ename": f.Name, "evalue": f.Value, "traceback": f.Traceback}
			continue
		}
		b := Bundle{}
		if o.result != nil {
			b = *o.result
		}
		out[name] = map[string]any{"status": "ok", "data": notNil(b.Data), "metadata": notNil(b.Metadata)}
	}
	return out
}

func notNil(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// output is what an execution shows, sent to the clients.
type output struct {
	s      *Session
	ctx    context.Context // of the execution
	m      *wire.Message
	number int
	silent bool
	stdin  bool

	mu     sync.Mutex
	result *Bundle
	paged  []any
}

func (o *output) publish(kind string, content any) {
	if !o.silent {
		o.s.publish(o.m, kind, content)
	}
}

func (o *output) Stream(name, text string) {
	if text != "" {
		o.publish("stream", map[string]string{"name": name, "text": text})
	}
}

func (o *output) Display(b Bundle) {
	o.publish("display_data", map[string]any{"data": notNil(b.Data), "metadata": notNil(b.Metadata), "transient": notNil(b.Transient)})
}

func (o *output) Update(b Bundle) {
	o.publish("update_display_data", map[string]any{"data": notNil(b.Data), "metadata": notNil(b.Metadata), "transient": notNil(b.Transient)})
}

func (o *output) Result(b Bundle) {
	o.mu.Lock()
	o.result = &b
	o.mu.Unlock()
	o.publish("execute_result", map[string]any{"execution_count": o.number, "data": notNil(b.Data), "metadata": notNil(b.Metadata)})
}

func (o *output) Clear(wait bool) { o.publish("clear_output", map[string]bool{"wait": wait}) }

func (o *output) Page(data map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paged = append(o.paged, map[string]any{"source": "page", "data": data, "start": 0})
}

func (o *output) Input(prompt string, password bool) (string, error) {
	if !o.stdin {
		return "", errNoInput
	}
	return o.s.ask(o.ctx, o.m, prompt, password)
}

func (o *output) pages() []any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paged == nil {
		return []any{}
	}
	return o.paged
}

// value is the text of the result.
func (o *output) value() (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.result == nil {
		return "", false
	}
	text, ok := o.result.Data["text/plain"].(string)
	return text, ok
}
