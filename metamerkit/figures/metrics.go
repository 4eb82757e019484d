package figures

import "github.com/ensemble-metamers/metamers/metamerkit/metamer"

// Metrics are the image metrics that Figures 4 and 6 and Table 5 show, in their
// order (docs/metrics.md). Those without a value, as NIQE of small images, are left
// out.
var Metrics = []Measure{
	{Name: "tv", Title: "total variation", Better: metamer.Lower, Normalised: true},
	{Name: "noise", Title: "noise level", Unit: "8-bit levels", Better: metamer.Lower, Normalised: true},
	{Name: "sharpness", Title: "sharpness", Unit: "8-bit levels²", Better: metamer.Higher, Normalised: true},
	{Name: "spectral-slope", Title: "spectral slope α"},
	{Name: "colourfulness"},
	{Name: "entropy", Unit: "bits"},
	{Name: "saturated", Title: "saturated pixels", Unit: "share", Better: metamer.Lower},
	{Name: "brisque-photos", Title: "BRISQUE (photos)", Better: metamer.Lower},
	{Name: "piqe", Title: "PIQE", Better: metamer.Lower},
	{Name: "niqe-photos", Title: "NIQE (photos)", Better: metamer.Lower},
}
