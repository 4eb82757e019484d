package evaluate

// scipy.stats of the vectors in evidence_test.go.
const (
	wantPearson  = 0.85754019813895377
	wantSpearman = 0.86764705882352944
)
