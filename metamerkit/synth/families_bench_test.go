package synth

import (
	"fmt"
	"testing"
	"time"

	"github.com/ensemble-metamers/metamers/metamerkit/backend"
	"github.com/ensemble-metamers/metamers/metamerkit/backend/backendtest"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo"
	"github.com/ensemble-metamers/metamers/metamerkit/zoo/zootest"
)

// BenchmarkFamily times the late unit of a model of each family, with weights by a
// formula: a pgd step of four images, and beside it the compilation. Processor seconds
// are steady on a busy machine.
func BenchmarkFamily(b *testing.B) {
	for _, name := range []string{"plain7_48.mm_c10", "resnet20", "resnet18.tv_in1k", "resnet50.tv_in1k", "vgg16.tv_in1k", "densenet121.tv_in1k", "efficientnet_b0.ra_in1k",
		"convnext_tiny.fb_in1k", "vit_tiny_patch16_224", "vit_small_patch16_224", "swin_tiny_patch4_window7_224"} {
		b.Run(name, func(b *testing.B) {
			be := backendtest.Open(b, backend.Auto)
			c, err := zoo.Lookup(name)
			if err != nil {
				b.Fatal(err)
			}
			tapped := TappedModel{Card: c, Net: zootest.Open(b, c, 0.5), Layer: zoo.LayerOf(c, "late")}
			used := backendtest.Processor()
			u := pgdUnit(b, be, tapped, 4, c.Input.Size, be.Loops())
			compiled := backendtest.Processor() - used
			step := stepper(b, u, 1)
			step()
			b.ResetTimer()
			used = backendtest.Processor()
			for range b.N {
				step()
			}
			b.ReportMetric((backendtest.Processor()-used).Seconds()/float64(b.N), "cpu-s/step")
			b.ReportMetric(compiled.Seconds(), "cpu-s/compile")
		})
	}
}

// BenchmarkDevice times the late unit on a GPU with as many images as fill it, twenty
// steps a call, in one executable; in float32 (TF32 where backend.TF32Var asks) and in mixed
// precision.
func BenchmarkDevice(b *testing.B) {
	be := backendtest.Open(b, backend.CUDA)
	for _, name := range []string{"resnet50.tv_in1k", "vit_base_patch16_224"} {
		c, err := zoo.Lookup(name)
		if err != nil {
			b.Fatal(err)
		}
		for _, precision := range []string{"float32", "mixed"} {
			net := zootest.Open(b, c, 0.5)
			if precision == "mixed" {
				if net, err = net.Mixed(); err != nil {
					b.Fatal(err)
				}
			}
			tapped := TappedModel{Card: c, Net: net, Layer: zoo.LayerOf(c, "late")}
			for _, batch := range []int{32, 64, 128} {
				b.Run(fmt.Sprintf("%s/%s/batch=%d", name, precision, batch), func(b *testing.B) {
					const steps = 20
					began := time.Now()
					u := pgdUnit(b, be, tapped, batch, c.Input.Size, true)
					run := stepper(b, u, steps)
					run()
					compiled := time.Since(began)
					for b.Loop() {
						run()
					}
					b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/steps*1e3, "ms/step")
					b.ReportMetric(float64(b.N)*steps*float64(batch)/b.Elapsed().Seconds(), "images/s")
					b.ReportMetric(compiled.Seconds(), "s/first")
				})
			}
		}
	}
}
