package onednn

import (
	"strings"
	"testing"
)

const head = "func.func @main() {\n"

// A convolution becomes a call that says its strides and padding; a gradient becomes a
// deconvolution with the kernel that was not reversed; other text stays as it is.
func TestRewrite(t *testing.T) {
	convolution := func(result, kernel, form, dilation, padding, typ string) string {
		return `    ` + result + ` = "stablehlo.convolution"(%x, ` + kernel + `) {
      batch_group_count = 1 : i64,
      dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, ` + form + `]->[b, 0, 1, f]>,
      feature_group_count = 1 : i64,
      lhs_dilation = array<i64: ` + dilation + `>,
      padding = dense<` + padding + `> : tensor<2x2xi64>,
      rhs_dilation = array<i64: 1, 1>,
      window_reversal = array<i1: false, false>,
      window_strides = array<i64: 1, 1>
    } : (tensor<4x8x8x16x` + typ + `>, tensor<3x3x16x16x` + typ + `>) -> tensor<4x8x8x16x` + typ + `>
`
	}
	reverse := `    %r = "stablehlo.reverse"(%k) { dimensions = array<i64: 0, 1> } : (tensor<3x3x16x16xbf16>) -> tensor<3x3x16x16xbf16>
`
	product := `    %p = "stablehlo.dot_general"(%x, %k) {
      dot_dimension_numbers = #stablehlo.dot<
  lhs_batching_dimensions = [0, 2],
  rhs_batching_dimensions = [0, 2],
  lhs_contracting_dimensions = [3],
  rhs_contracting_dimensions = [3]
>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]
    } : (tensor<4x197x3x64xbf16>, tensor<4x197x3x64xbf16>) -> tensor<4x3x197x197xbf16>
`
	other := "    %a = \"stablehlo.add\"(%x, %x) : (tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>\n"
	for _, c := range []struct{ program, want string }{
		{convolution("%c", "%k", "i, o", "1, 1", "[[1, 1], [1, 1]]", "bf16"), `"stablehlo.custom_call"(%x, %k) { call_target_name = "metamers.convolve", api_version = 4 : i32, backend_config = {numbers = array<i64: 0, 1, 1, 1, 1, 1, 1, 1>}`},
		{reverse + convolution("%c", "%r", "o, i", "2, 2", "[[1, 2], [1, 2]]", "bf16"), `(%x, %k) { call_target_name = "metamers.convolve", api_version = 4 : i32, backend_config = {numbers = array<i64: 1, 2, 2, 1, 0, 1, 0, -1>}`},
		{product, `"metamers.multiply", api_version = 4 : i32, backend_config = {numbers = array<i64: 4, 3, 197, 197, 64, 37824, 64, 192, 1, 37824, 64, 1, 192>}`},
		{convolution("%c", "%k", "i, o", "1, 1", "[[1, 1], [1, 1]]", "f32"), `"metamers.convolve"`},
		{convolution("%c", "%k", "i, o", "1, 1", "[[1, 1], [1, 1]]", "f64"), ""},
		{convolution("%c", "%k", "i, o", "1, 1", "[[3, 1], [1, 1]]", "f32"), ""},
		{convolution("%c", "%k", "i, o", "2, 2", "[[1, 1], [1, 1]]", "bf16"), ""},
		{strings.Replace(product, "lhs_batching_dimensions = [0, 2]", "lhs_batching_dimensions = [0, 1]", 1), ""},
		{other, ""},
	} {
		whole := head + other + c.program + other + "}"
		got, n := Rewrite(whole, true)
		switch {
		case c.want == "" && (got != whole || n != 0):
			t.Errorf("changed %s\nto %s", whole, got)
		case c.want != "" && (n != 1 || !strings.Contains(got, c.want) || !strings.HasPrefix(got, head+other) || !strings.HasSuffix(got, other+"}")):
			t.Errorf("%d replaced in\n%s, which became\n%s", n, whole, got)
		}
	}
	short := head + product + "}"
	if got, n := Rewrite(short, false); got != short || n != 0 {
		t.Errorf("bfloat16 is not wanted: %d replaced, %s", n, got)
	}
}
