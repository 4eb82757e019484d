package setup

import (
	"image"
	"image/color"
	"math"
)

// The logo: two discs of different colours that share what lies in both, as
// metamers do.
const logoSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">
<defs><clipPath id="a"><circle cx="24" cy="32" r="21"/></clipPath></defs>
<circle cx="24" cy="32" r="21" fill="#00add8"/>
<circle cx="40" cy="32" r="21" fill="#ce3262"/>
<circle cx="40" cy="32" r="21" fill="#fddd00" clip-path="url(#a)"/>
</svg>
`

// logo draws the same as an image of size×size pixels.
func logo(size int) *image.NRGBA {
	const fine = 8 // samples a pixel and direction
	colors := [4]color.NRGBA{{}, {0x00, 0xad, 0xd8, 255}, {0xce, 0x32, 0x62, 255}, {0xfd, 0xdd, 0x00, 255}}
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			var sum [4]float64
			for i := range fine * fine {
				px := (float64(x) + (float64(i%fine)+.5)/fine) * 64 / float64(size)
				py := (float64(y) + (float64(i/fine)+.5)/fine) * 64 / float64(size)
				k := 0
				if math.Hypot(px-24, py-32) <= 21 {
					k |= 1
				}
				if math.Hypot(px-40, py-32) <= 21 {
					k |= 2
				}
				c, a := colors[k], float64(colors[k].A)/255
				sum[0] += float64(c.R) * a
				sum[1] += float64(c.G) * a
				sum[2] += float64(c.B) * a
				sum[3] += a
			}
			if sum[3] > 0 {
				img.SetNRGBA(x, y, color.NRGBA{uint8(sum[0]/sum[3] + .5), uint8(sum[1]/sum[3] + .5), uint8(sum[2]/sum[3] + .5), uint8(sum[3]/(fine*fine)*255 + .5)})
			}
		}
	}
	return img
}
