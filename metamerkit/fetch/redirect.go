package fetch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

// private is the key under which a request's context holds the headers that only
// its own host may see.
type private struct{}

// Carry adds headers to a request, and lets bound know which they are.
func Carry(req *http.Request, h http.Header) {
	maps.Copy(req.Header, h)
	*req = *req.WithContext(context.WithValue(req.Context(), private{}, h))
}

// redirectError reports a redirect that is not followed.
type redirectError struct{ problem string }

func (e *redirectError) Error() string { return e.problem }

// bound returns a client as c that takes the headers of Carry off when a redirect
// leads to another host, port or scheme (net/http keeps them for another port and
// for subdomains), and that refuses redirects from https to http.
func bound(c *http.Client) *http.Client {
	b := *c
	b.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return &redirectError{"stopped after 10 redirects"}
		}
		if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
			return &redirectError{fmt.Sprintf("refused the redirect from https to %s://%s", req.URL.Scheme, req.URL.Host)}
		}
		if !sameOrigin(via[0].URL, req.URL) {
			h, _ := req.Context().Value(private{}).(http.Header)
			for name := range h {
				req.Header.Del(name)
			}
		}
		return nil
	}
	return &b
}

// Status is the error of an answer that is no success, with what the server says.
func Status(url string, resp *http.Response) *StatusError {
	e := &StatusError{URL: url, Code: resp.StatusCode, Message: resp.Header.Get("X-Error-Message")}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	var said struct{ Error string }
	if e.Message == "" && json.Unmarshal(body, &said) == nil {
		e.Message = said.Error
	}
	if text := strings.TrimSpace(string(body)); e.Message == "" && len(text) < 300 && !isHTML(body) {
		e.Message = text
	}
	return e
}
