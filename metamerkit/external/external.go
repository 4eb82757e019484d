// Package external reads metamers made by other software, with their references, so that
// they can be evaluated: folders of images, NumPy and safetensors arrays, and files of
// torch.save and plenoptic's Metamer.save. No code in a file is executed.
package external

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ensemble-metamers/metamers/metamerkit/images"
	"github.com/ensemble-metamers/metamers/metamerkit/metamer"
)

// Source says where metamers and references are, and what is known about them.
type Source struct {
	// Metamers is a folder of PNG or JPEG files, or a file of arrays: .npy, .npz,
	// .safetensors, or PyTorch's .pt. A file that holds several arrays must call the
	// metamers one of metamerKeys.
	Metamers string
	// References likewise (referenceKeys). Empty: they are in the metamers' file.
	References string
	// Images are the references where they are an image set of ours, labels included.
	Images *images.Set
	Name   string   // of the model set in rows where Models is empty; default: the metamers' file name
	Models []string // the set that the metamers were made for, where it is known; aliases are not resolved
	Stage  string   // stage or layer at which observers compare activations
	// Layout of arrays of rank 4: nhwc or nchw. Empty: told from the axis of 3 (or 1)
	// channels, and an error where both could be.
	Layout string
}

// The names that arrays may go by in files that hold several; plenoptic's begin with
// an underscore.
var (
	metamerKeys   = []string{"_metamer", "metamer", "metamers", "_saved_metamer"}
	referenceKeys = []string{"_image", "image", "images", "reference", "references"}
)

// layouts are the values of Source.Layout.
var layouts = []string{"nhwc", "nchw"}

// Read returns the metamers as a run, the references, and notes on what was decided
// about the files (layout, scale, clamped pixels). The run's ID depends on references,
// model set, stage and the metamers' pixels, and it has no folder: with one (Dir),
// evaluations keep their rows there.
func Read(s Source) (run *metamer.Run, refs *images.Set, notes []string, err error) {
	if s.Metamers == "" {
		return nil, nil, nil, fmt.Errorf("external: no metamers named")
	}
	if s.Layout != "" && s.Layout != "nhwc" && s.Layout != "nchw" {
		return nil, nil, nil, fmt.Errorf("external: %w", metamer.Unknown("layout", s.Layout, layouts))
	}
	met, ref, notes, err := pair(s)
	if err != nil {
		return nil, nil, nil, err
	}
	if met.size != ref.size || met.n != ref.n {
		return nil, nil, nil, fmt.Errorf("external: %s has %d metamers of %d² pixels, %s has %d references of %d²; expected equal numbers and sizes", met.path, met.n, met.size, ref.path, ref.n, ref.size)
	}
	if refs = s.Images; refs == nil {
		refs = &images.Set{Name: ref.path, Size: ref.size, Names: ref.names, Labels: ref.labels, ClassNames: ref.classes, Pixels: ref.pixels}
		for i := range ref.n {
			if ref.names == nil {
				refs.Names = append(refs.Names, fmt.Sprint(i))
			}
			if ref.labels == nil {
				refs.Labels = append(refs.Labels, -1)
			}
		}
	}
	r := metamer.Recipe{Stage: s.Stage, Images: metamer.ImageRef{Name: refs.Name, Count: ref.n, Size: ref.size, SHA256: refs.SHA256()}}
	for _, m := range s.Models {
		r.Models = append(r.Models, metamer.ModelRef{Name: m})
	}
	if r.Models == nil {
		name := s.Name
		if name == "" {
			name = strings.TrimSuffix(filepath.Base(s.Metamers), filepath.Ext(s.Metamers))
		}
		r.Models = []metamer.ModelRef{{Name: name}}
	}
	run = &metamer.Run{Recipe: r, Metamers: met.pixels, Source: filepath.Base(s.Metamers)}
	run.ID, err = identity(run)
	return run, refs, notes, err
}

// identity names a run by all that its rows depend on: the references, the model set,
// the stage and the metamers' pixels.
func identity(run *metamer.Run) (string, error) {
	text, err := json.Marshal(run.Recipe)
	if err != nil {
		return "", fmt.Errorf("external: %w", err)
	}
	h := sha256.New()
	h.Write(text)
	if err := binary.Write(h, binary.LittleEndian, run.Metamers); err != nil {
		return "", fmt.Errorf("external: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// stack is a number of images of one size.
type stack struct {
	path    string
	n, size int
	pixels  []float32 // [n,size,size,3] in [0,1]
	names   []string  // nil for arrays
	labels  []int     // likewise
	classes []string  // their names
}
