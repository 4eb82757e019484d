package metamer

// Row is one measured value, in long form: what every evaluation gives and every
// figure and table reads. Rows go to CSV, one a line.
type Row struct {
	Run      string  // the run's ID, "" for references and for metamers made elsewhere
	Set      string  // model names of the set, sorted as in the recipe, joined by "+"
	Stage    string  // early | middle | late, or a layer by its own name; "" for references
	Observer string  // model that judges; "" for image metrics
	Member   bool    // whether the observer belongs to the set
	Image    int     // index in the image set; -1: over all images
	Measure  string  // such as "same-class", "jsd/pearson", "niqe"
	Value    float64 // NaN: not defined (the reason is the measure's)
	Low      float64 // bounds of the 95 % interval where Image is -1 and one was asked for, else NaN
	High     float64
}
