package people

// Column is a column of the data.
type Column struct{ Name, About string }

// Columns are those of a participant's file, in order.
var Columns = []Column{
	{"design", "SHA-256 of design.json"},
	{"seed", "seed of the design"},
	{"participant", "number of the participant's link, or a random name; nothing personal"},
	{"schedule", "index of the schedule in the design"},
	{"row", "number of the row in the participant's file, from 1"},
	{"phase", "start, calibration, practice, trial, catch (a natural image among the trials) or end"},
	{"stimulus", "index of the stimulus in the design"},
	{"condition", "index of the condition in the design; -1 for practice and catch trials"},
	{"run", "ID of the run that made the image; empty for a natural image"},
	{"set", "model set of the run, names joined by +"},
	{"stage", "stage of the run"},
	{"other", "in tasks with two images, index of the condition of the other image; -1 for the reference, and for practice and catch trials"},
	{"image", "index of the reference in its image set; -1 for an image from elsewhere"},
	{"name", "name of the reference"},
	{"answer", "the right choice"},
	{"choice", "the choice taken; empty if no answer came in time"},
	{"correct", "1 if choice is answer, else 0"},
	{"rt_ms", "time from the end of the mask to the answer, in ms"},
	{"fixation_ms", "how long the fixation was shown, by the times of the display's frames, in ms"},
	{"image_ms", "how long the image was shown, in ms"},
	{"other_ms", "how long the other image was shown, in ms"},
	{"mask_ms", "how long the mask was shown, in ms"},
	{"dropped_frames", "frames that came late from fixation to mask"},
	{"refresh_hz", "measured rate of the display"},
	{"time_ms", "time at which the row was made, in ms since 1970 (UTC)"},
	{"screen_width", "width of the screen in CSS pixels"},
	{"screen_height", "height of the screen in CSS pixels"},
	{"window_width", "width of the window in CSS pixels"},
	{"window_height", "height of the window in CSS pixels"},
	{"pixel_ratio", "pixels of the display for each CSS pixel"},
	{"magnification", "pixels of the display for each pixel of the image"},
	{"pixels_per_degree", "CSS pixels for each degree of visual angle, from the calibration; 0 without one"},
	{"distance_mm", "viewing distance from the calibration; 0 without one"},
	{"browser", "name and main version of the browser, and the system"},
	{"check", "CRC-32 of this row and the check of the one before"},
}

// EventColumns describes the columns of BIDS events files.
func EventColumns() map[string]map[string]string {
	out := map[string]map[string]string{
		"onset":         {"Description": "Onset of the image, from that of the participant's first trial", "Units": "s"},
		"duration":      {"Description": "How long the image was shown, as measured", "Units": "s"},
		"stim_file":     {"Description": "File of the image below stimuli/"},
		"other_file":    {"Description": "File of the second image of a trial that has one, below stimuli/"},
		"response_time": {"Description": "From the end of the mask to the answer", "Units": "s"},
		"excluded":      {"Description": "Why the participant or the trial is left out by the rule of the design; n/a if it counts"},
	}
	for _, c := range Columns {
		switch c.Name {
		case "phase", "condition", "run", "set", "stage", "image", "answer", "choice", "correct":
			out[c.Name] = map[string]string{"Description": c.About}
		}
	}
	return out
}
