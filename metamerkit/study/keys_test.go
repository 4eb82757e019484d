package study

import (
	"strings"
	"testing"
)

// A key that is not text would make its whole entry vanish.
func TestKeysAreText(t *testing.T) {
	for text, want := range map[string]string{
		"sets: [[resnet20]]\nsettings: {steps: 7, nullSet: cifar10:1000}\n":         "",
		"sets: [[resnet20]]\nsettings:\n  steps: 7\n  nullSet: cifar10:1000":        "",
		"sets: [[resnet20]]\nsettings:\n  steps: 7\n  null: cifar10:1000\n":         `line 4: the key null is not text in YAML: write it in quotes (the null set of the match statistics is called nullSet)`,
		"sets: [[resnet20]]\nsettings: {steps: 7, 1: x}\n":                          "the key 1 is not text",
		"images: [a.jpg, b.jpg]\nsets: [[resnet20]]\n":                              "line 1: images must be one line, expected a set, a folder or files separated by spaces",
		"sets: [[resnet20]]\nsettings: {steps: 0}\n":                                "line 2: steps is 0, expected a number above 0",
		"sets: [[resnet20]]\nsettings:\n  optimizer: {name: adam, momentum: 0.0}\n": "line 3: momentum is 0.0, expected a number above 0",
		"true: x\nsets: [[resnet20]]\n":                                             "line 1: the key true is not text",
	} {
		p, err := Parse([]byte(text))
		if want == "" && (err != nil || p.Settings.Steps != 7 || p.Recipe(p.Sets[0], "late").Null.Name != "cifar10:1000") {
			t.Errorf("%q gives %+v: %v", text, p.Settings, err)
		} else if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, expected %s", text, err, want)
		}
	}
}

// The decoder would round a fraction of what is counted.
func TestKeysAreWhole(t *testing.T) {
	const sets = "sets: [[resnet20]]\n"
	for text, want := range map[string]string{
		sets + "size: 32.5\n":                                            "line 2: size is 32.5, expected a whole number",
		sets + "settings: {steps: 1.7}\n":                                "line 2: steps is 1.7, expected a whole number",
		sets + "settings:\n  steps: 7\n  seed: 2.5\n":                    "line 4: seed is 2.5, expected a whole number",
		sets + "settings: {variants: 2.5}\n":                             "variants is 2.5, expected a whole number",
		sets + "settings: {variants: {count: 2.5}}\n":                    "count is 2.5, expected a whole number",
		sets + "settings: {against: {models: [resnet56], every: 9.9}}\n": "every is 9.9, expected a whole number",
		sets + "settings: {variants: {count: 2, level: 0.5}}\n":          "",
		sets + "settings: {optimizer: {name: pgd, stepSize: 0.5}}\n":     "",
	} {
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, expected %s", text, err, want)
		}
	}
}
