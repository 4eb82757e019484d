package display

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"reflect"
	"strings"
)

// Bundle renders v by media type; text/plain is always among them.
func Bundle(v any) (map[string][]byte, error) {
	out := map[string][]byte{}
	switch x := v.(type) {
	case Bundler:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			break
		}
		b, err := x.MIMEBundle()
		if err != nil {
			return nil, fmt.Errorf("showing a %T: %w", v, err)
		}
		for kind, content := range b {
			out[kind] = content
		}
		if out["text/plain"] == nil {
			out["text/plain"] = []byte(brief(v))
		}
	case HTML:
		out["text/html"] = []byte(x)
	case SVG:
		out["image/svg+xml"] = []byte(x)
		out["text/plain"] = fmt.Appendf(nil, "SVG image, %d bytes", len(x))
	case Markdown:
		out["text/markdown"] = []byte(x)
	case LaTeX:
		out["text/latex"] = []byte(x)
	case JSON:
		out["application/json"] = []byte(x)
	case image.Image:
		var b bytes.Buffer
		if err := png.Encode(&b, x); err != nil {
			return nil, fmt.Errorf("showing an image of %v: %w", x.Bounds().Size(), err)
		}
		out["image/png"] = b.Bytes()
		out["text/plain"] = fmt.Appendf(nil, "image, %d×%d pixels", x.Bounds().Dx(), x.Bounds().Dy())
	}
	if out["text/plain"] == nil {
		out["text/plain"] = []byte(Text(v))
	}
	return out, nil
}

// brief is the text of a rich value without one: its String method, or its type.
func brief(v any) string {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", v)
}

const (
	head, tail = 12, 4 // elements shown of a long list
	most       = 10000 // bytes of one value
	deepest    = 6     // levels of nested values
	long       = 60    // elements from which on a list is shortened
)

// Text renders v as fmt's %v would (%+v for structures), with long lists and
// texts shortened.
func Text(v any) string {
	var b strings.Builder
	write(&b, reflect.ValueOf(v), 0)
	s := b.String()
	if _, whole := v.(string); len(s) > most && !whole {
		s = strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes in all)", len(s))
	}
	return s
}

func write(b *strings.Builder, v reflect.Value, depth int) {
	if !v.IsValid() {
		b.WriteString("<nil>")
		return
	}
	if b.Len() > 2*most {
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case error, fmt.Formatter, fmt.Stringer:
			if v.Kind() == reflect.Pointer && v.IsNil() {
				b.WriteString("<nil>")
			} else {
				fmt.Fprintf(b, "%v", x)
			}
			return
		}
	}
	if depth > deepest {
		b.WriteString("…")
		return
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		b.WriteByte('[')
		n := v.Len()
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			if n > long && i == head {
				fmt.Fprintf(b, "… (%d in all) …", n)
				for j := n - tail; j < n; j++ {
					b.WriteByte(' ')
					write(b, v.Index(j), depth+1)
				}
				break
			}
			write(b, v.Index(i), depth+1)
		}
		b.WriteByte(']')
	case reflect.Struct:
		b.WriteByte('{')
		for i := range v.NumField() {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(v.Type().Field(i).Name + ":")
			write(b, v.Field(i), depth+1)
		}
		b.WriteByte('}')
	case reflect.Pointer:
		if !v.IsNil() && depth == 0 {
			switch v.Elem().Kind() {
			case reflect.Struct, reflect.Slice, reflect.Array, reflect.Map:
				b.WriteByte('&')
				write(b, v.Elem(), depth+1)
				return
			}
		}
		fmt.Fprintf(b, "%v", v)
	case reflect.Interface:
		write(b, v.Elem(), depth)
	case reflect.Map:
		if v.Len() > 1000 {
			fmt.Fprintf(b, "%v with %d entries", v.Type(), v.Len())
			return
		}
		fmt.Fprintf(b, "%v", v)
	default:
		fmt.Fprintf(b, "%v", v)
	}
}
