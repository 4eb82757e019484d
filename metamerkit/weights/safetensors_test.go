package weights

import (
	"strings"
	"testing"
)

func TestHostileSafetensors(t *testing.T) {
	body := strings.Repeat("\x00", 16)
	for name, c := range map[string]struct{ data, text string }{
		"huge header":      {"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "header of 9223372036854775807 bytes"},
		"cut header":       {safetensors(`{"a":{"dtype":"F32"`, ""), "header"},
		"no object":        {safetensors(`{]`, ""), "header"},
		"text after":       {safetensors(`{} x`, ""), "text after"},
		"deep":             {safetensors(`{"a":`+strings.Repeat("[", 20000), ""), "depth"},
		"negative shape":   {safetensors(`{"a":{"dtype":"F32","shape":[-1,4],"data_offsets":[0,16]}}`, body), "negative dimension"},
		"huge shape":       {safetensors(`{"a":{"dtype":"F32","shape":[9999999999,999999999],"data_offsets":[0,16]}}`, body), "elements"},
		"shape overflow":   {safetensors(`{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,16]}}`, body), "elements"},
		"no integer":       {safetensors(`{"a":{"dtype":"F32","shape":[1e40],"data_offsets":[0,16]}}`, body), "tensor a"},
		"65 dimensions":    {safetensors(`{"a":{"dtype":"F32","shape":[1`+strings.Repeat(",1", 64)+`],"data_offsets":[0,4]}}`, body[:4]), "65 dimensions"},
		"no shape":         {safetensors(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, body[:4]), "no shape"},
		"no offsets":       {safetensors(`{"a":{"dtype":"F32","shape":[4]}}`, body), "lies at []"},
		"unknown type":     {safetensors(`{"a":{"dtype":"F8_E4M3","shape":[99],"data_offsets":[0,16]}}`, body), "99"},
		"other size":       {safetensors(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}`, body), "needs 12 bytes"},
		"other type":       {safetensors(`{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,16]}}`, body), "needs 8 bytes"},
		"outside":          {safetensors(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}}`, body), "lies at [4 20]"},
		"backwards":        {safetensors(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}`, body), "lies at [16 0]"},
		"negative offset":  {safetensors(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}}`, body), "lies at [-16 0]"},
		"overlap":          {safetensors(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, body), "overlap"},
		"same place":       {safetensors(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, body), "overlap"},
		"gap":              {safetensors(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, body), "gap"},
		"bytes left":       {safetensors(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}`, body), "4 bytes belong to no tensor"},
		"repeated name":    {safetensors(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, body), "twice"},
		"metadata, number": {safetensors(`{"__metadata__":{"a":1}}`, ""), "__metadata__"},
	} {
		var err error
		used := allocated(func() { _, err = Parse(name, []byte(c.data)) })
		if e := formatError(t, name, err); e != nil && (e.Format != "safetensors" || !strings.Contains(e.Problem, c.text)) {
			t.Errorf("%s: %v, expected %q in it", name, err, c.text)
		}
		if used > 1<<20 {
			t.Errorf("%s: %d bytes are allocated for a file of %d", name, used, len(c.data))
		}
	}
}
