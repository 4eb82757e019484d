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
