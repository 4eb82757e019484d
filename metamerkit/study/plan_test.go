package study

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Optimiser, schedule and warm start are written in a plan as on the command line, or by
// their fields.
func TestSettingsInAWord(t *testing.T) {
	for short, long := range map[string]string{
		"optimizer: fast": "optimizer: {name: fast}",
		"optimizer: pgd\n  schedule: switch:5:random": "optimizer: {name: pgd}\n  schedule: {kind: switch, every: 5, order: random}",
		"optimizer: adam\n  schedule: average":        "optimizer: {name: adam}\n  schedule: {kind: average}",
		"optimizer: fast\n  warmUp: middle:40":        "optimizer: {name: fast}\n  warmUp: {stage: middle, evaluations: 40}",
	} {
		read := func(settings string) Plan {
			p, err := Parse([]byte("sets: [[resnet20]]\nsettings:\n  " + settings + "\n"))
			if err != nil {
				t.Fatalf("%s: %v", settings, err)
			}
			return p
		}
		if a, b := read(short), read(long); !reflect.DeepEqual(a, b) || a.Settings.Optimizer.Name == "" {
			t.Errorf("%s: %+v, expected %+v", short, a.Settings, b.Settings)
		}
	}
	for text, want := range map[string]string{
		"optimizer: quick":                  `unknown optimiser "quick"`,
		"optimizer: {nam: fast}":            "nam",
		"optimizer: [fast]":                 "sequence was used",
		"schedule: switch:0":                `schedule "switch:0"`,
		"schedule: {kinds: switch}":         "kinds",
		"optimizer: fast\n  warmUp: middle": `warm-up "middle"`,
	} {
		_, err := Parse([]byte("sets: [[resnet20]]\nsettings:\n  " + text + "\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", text, err, want)
		}
	}
}

// The default images are scenes, but small photographs at 32².
func TestDefaultImages(t *testing.T) {
	for size, want := range map[string]string{"": "scenes:16", "size: 224": "scenes:16", "size: 32": "photos:16", "images: photos:3": "photos:3"} {
		p, err := Parse([]byte("sets: [[resnet20]]\n" + size + "\n"))
		if err != nil || p.Images != want {
			t.Errorf("%q: %s, %v, expected %s", size, p.Images, err, want)
		}
	}
}

// A name that is both a model and a group is an error that says how to write each.
func TestGroupOrModel(t *testing.T) {
	m := newMade()
	resolved := func(sets string) ([][]string, error) {
		p, err := Parse([]byte("groups: {twenty: [vgg11, resnet20.linf8]}\nsets: " + sets + "\nobservers: [vgg11]"))
		if err != nil {
			return nil, err
		}
		p, _, err = p.Resolved(context.Background(), m, false)
		return p.Sets, err
	}
	for _, bare := range []string{"[twenty]", "[[twenty]]"} {
		var twofold *metamer.TwofoldError
		if _, err := resolved(bare); !errors.As(err, &twofold) || !strings.Contains(err.Error(), "write model:twenty for the first or group:twenty for the second") {
			t.Errorf("%s: %v", bare, err)
		}
	}
	sets, err := resolved("[model:twenty, group:twenty]")
	if err != nil || !reflect.DeepEqual(sets, [][]string{{"resnet20"}, {"vgg11", "resnet20.linf8"}}) {
		t.Error(sets, err)
	}
	if _, err := resolved("[group:thirty]"); err == nil || !strings.Contains(err.Error(), `unknown group "thirty"`) {
		t.Error(err)
	}
}
