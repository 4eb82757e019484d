package display

import (
	"fmt"
	"image"
	"maps"
	"reflect"
	"runtime"
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
		if !drawable(x) {
			break
		}
		b, err := encodePNG(x)
		if err != nil {
			return nil, fmt.Errorf("showing %w", err)
		}
		out["image/png"] = b
		out["text/plain"] = fmt.Appendf(nil, "image, %d×%d pixels", x.Bounds().Dx(), x.Bounds().Dy())
	default:
		b, err := byForm(v)
		if err != nil {
			return nil, fmt.Errorf("showing a %T: %w", v, err)
		}
		maps.Copy(out, b)
	}
	if out["text/plain"] == nil {
		out["text/plain"] = []byte(Text(v))
	}
	return out, nil
}

// byForm renders what is rich by its form: plots of gonum, lists of images and of values
// that show themselves, tables. It returns nothing for all else.
func byForm(v any) (map[string][]byte, error) {
	if out, ok, err := plotted(v); ok || err != nil {
		return out, err
	}
	if picture, text, ok := sheet(v); ok {
		b, err := encodePNG(picture)
		return map[string][]byte{"image/png": b, "text/plain": []byte(text)}, err
	}
	if out, ok, err := gallery(v); ok {
		return out, err
	}
	if g, ok := tabulate(v); ok {
		return map[string][]byte{"text/html": []byte(g.HTML()), "text/plain": []byte(g.String())}, nil
	}
	return nil, nil
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
// texts shortened, and functions as their signature.
func Text(v any) string {
	var b strings.Builder
	write(&b, reflect.ValueOf(v), 0)
	s := b.String()
	if _, whole := v.(string); len(s) > most && !whole {
		s = strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("… (%d bytes in all)", len(s))
	}
	return s
}

// signature is the type of a function, with its name where it has one: not of a function
// literal.
func signature(v reflect.Value) string {
	t := v.Type().String()
	if v.IsNil() {
		return "<nil>"
	}
	if !strings.HasPrefix(t, "func") { // a type with a name
		return t
	}
	f := runtime.FuncForPC(v.Pointer())
	if f == nil {
		return t
	}
	name := unmark(f.Name()[strings.LastIndexByte(f.Name(), '/')+1:])
	own := strings.HasPrefix(f.Name(), "main.") || strings.HasPrefix(f.Name(), cells)
	name = strings.TrimSuffix(strings.TrimSuffix(name, "-fm"), "[...]")
	for _, part := range strings.Split(name, ".")[1:] {
		if rest, ok := strings.CutPrefix(part, "func"); ok && rest != "" && strings.Trim(rest, "0123456789") == "" || strings.ContainsAny(part, "·-") {
			return t
		}
	}
	if own {
		_, name, _ = strings.Cut(name, ".")
	}
	return "func " + name + strings.TrimPrefix(unmark(t), "func")
}

const (
	cells = "cells/"     // begins the paths of the packages that the kernel makes of cells
	mark  = "\U0001D7CA" // begins names in them that are not exported in the cell
)

// unmark writes names as the cell has them.
func unmark(s string) string { return strings.ReplaceAll(s, mark, "") }

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
	case reflect.Func:
		b.WriteString(signature(v))
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
