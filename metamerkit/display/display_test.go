package display

import (
	"errors"
	"image"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/display/channel"
)

type rich struct{ fail bool }

func (r rich) MIMEBundle() (map[string][]byte, error) {
	if r.fail {
		return nil, errors.New("no ink")
	}
	return map[string][]byte{"text/html": []byte("<b>r</b>"), "image/png": {1, 2}}, nil
}

func TestText(t *testing.T) {
	var none *rich
	for _, x := range []struct {
		v    any
		want string
	}{
		{nil, "<nil>"}, {3, "3"}, {"a b", "a b"}, {[]int{1, 2}, "[1 2]"}, {struct {
			A int
			b []string
		}{1, []string{"x"}}, "{A:1 b:[x]}"},
		{&struct{ A int }{1}, "&{A:1}"}, {none, "<nil>"}, {map[string]int{"a": 1}, "map[a:1]"},
		{2 * time.Second, "2s"}, {errors.New("e"), "e"}, {[]any{1, "a", nil}, "[1 a <nil>]"},
		{make([]int, 100), "[0 0 0 0 0 0 0 0 0 0 0 0 … (100 in all) … 0 0 0 0]"},
	} {
		if got := Text(x.v); got != x.want {
			t.Errorf("Text(%#v) = %q, want %q", x.v, got, x.want)
		}
	}
	type node struct{ Next *node }
	loop := &node{}
	loop.Next = loop
	if s := Text(loop); len(s) > 1000 {
		t.Errorf("a cycle makes %d bytes", len(s))
	}
	if s := Text([]string{strings.Repeat("é", 30000)}); len(s) > most+100 || strings.ContainsRune(s, '\uFFFD') {
		t.Errorf("a long text makes %d bytes", len(s))
	}
}

func TestBundle(t *testing.T) {
	var none *rich
	for _, x := range []struct {
		v    any
		want string // media types
	}{
		{rich{}, "image/png text/html text/plain"}, {HTML("x"), "text/html text/plain"}, {SVG("<svg/>"), "image/svg+xml text/plain"},
		{image.NewGray(image.Rect(0, 0, 2, 2)), "image/png text/plain"}, {none, "text/plain"}, {1, "text/plain"},
	} {
		b, err := Bundle(x.v)
		if err != nil {
			t.Errorf("%T: %v", x.v, err)
		}
		n := 0
		for _, kind := range strings.Fields(x.want) {
			if len(b[kind]) > 0 {
				n++
			}
		}
		if n != len(b) || n != len(strings.Fields(x.want)) {
			t.Errorf("%T: %v, want %s", x.v, b, x.want)
		}
	}
	if _, err := Bundle(rich{fail: true}); err == nil || !strings.Contains(err.Error(), "no ink") {
		t.Errorf("a failing bundle: %v", err)
	}
}

// TestKernel plays the kernel, and then another one.
func TestKernel(t *testing.T) {
	for range 2 {
		t.Run("", playKernel)
	}
}

func playKernel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv(channel.SocketEnv, path)
	got := make(chan channel.Message, 10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		for {
			var m channel.Message
			if channel.Read(c, &m) != nil {
				return
			}
			got <- m
			channel.Write(c, channel.Answer{Text: "Ada"})
		}
	}()
	Result(1, nil)
	Result(nil)
	Result()
	Result(1, errors.New("broken"))
	name, err := Input("name? ", true)
	if err != nil || name != "Ada" {
		t.Errorf("Input = %q, %v", name, err)
	}
	if err := Show(rich{}); err != nil {
		t.Error(err)
	}
	for _, want := range []channel.Message{
		{Kind: channel.Result, Data: map[string]string{"text/plain": "1"}}, {Kind: channel.Fail, Text: "broken"},
		{Kind: channel.Input, Text: "name? ", Password: true}, {Kind: channel.Display, Data: map[string]string{"image/png": "AQI=", "text/html": "<b>r</b>"}},
	} {
		m := <-got
		if m.Kind != want.Kind || m.Text != want.Text || m.Password != want.Password {
			t.Errorf("got %+v, want %+v", m, want)
		}
		for kind, content := range want.Data {
			if m.Data[kind] != content {
				t.Errorf("%s: %s is %q, want %q", m.Kind, kind, m.Data[kind], content)
			}
		}
	}
}
