// Package golden carries some of the values that PyTorch computed (testdata/README.md), for
// programs that compare a device with them.
package golden

import "embed"

// Files holds activations, losses and gradients of three networks, and the first losses of
// the paper's procedure.
//
//go:embed pgd_start.safetensors carried/images.safetensors carried/pgd_robust_cnns.safetensors
//go:embed carried/resnet8_48.mm_c10.safetensors carried/plain7_48.mm_c10_linf8.safetensors carried/vit_4_96.mm_c10.safetensors
var Files embed.FS
