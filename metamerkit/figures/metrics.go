package figures

// Metrics are the image metrics that Figure 4 shows, in its order.
var Metrics = []Measure{
	{Name: "tv", Title: "total variation", Better: Lower, Normalised: true},
	{Name: "noise", Title: "noise level", Better: Lower, Normalised: true},
	{Name: "sharpness", Title: "sharpness", Better: Higher, Normalised: true},
	{Name: "slope", Title: "spectral slope α", Better: Neither},
	{Name: "colourfulness", Better: Higher},
	{Name: "entropy", Unit: "bits", Better: Higher},
	{Name: "brisque", Title: "BRISQUE", Better: Lower},
	{Name: "niqe", Title: "NIQE", Better: Lower},
}
