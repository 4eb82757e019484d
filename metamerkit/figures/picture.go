package figures

import (
	"bytes"
	"image"

	xdraw "golang.org/x/image/draw"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgpdf"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
)

// picture draws [size,size,3] pixels with sides of w. Small images are enlarged
// without smoothing first: viewers would blur them.
func picture(c draw.Canvas, pixels []float32, size int, at vg.Point, w vg.Length) {
	src := images.ToImage(pixels, size)
	side := size
	for side < 256 {
		side += size
	}
	big := image.NewNRGBA(image.Rect(0, 0, side, side))
	xdraw.NearestNeighbor.Scale(big, big.Bounds(), src, src.Bounds(), xdraw.Src, nil)
	c.DrawImage(vg.Rectangle{Min: at, Max: vg.Point{X: at.X + w, Y: at.Y + w}}, big)
}

// upright is gonum's PDF canvas with images the right way up: it draws them in its
// own coordinates, whose y axis it has turned (docs/notes/upstream.md).
type upright struct{ *vgpdf.Canvas }

// DrawImage draws img into rect.
func (u upright) DrawImage(rect vg.Rectangle, img image.Image) {
	b := img.Bounds()
	turned := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		xdraw.Copy(turned, image.Pt(0, b.Dy()-1-y), img, image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+y+1), xdraw.Src, nil)
	}
	u.Canvas.DrawImage(rect, turned)
}

// rightKind calls the PNG images of gonum's SVG what they are. It calls them JPEG,
// which browsers forgive and others, librsvg among them, do not.
func rightKind(svg []byte) []byte {
	return bytes.ReplaceAll(svg, []byte("data:image/jpg;base64,iVBOR"), []byte("data:image/png;base64,iVBOR"))
}
