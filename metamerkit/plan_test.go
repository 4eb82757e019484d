package metamerkit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/ensemble-metamers/metamers/metamerkit/study"
)

// fill sets every exported field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(k)
		fill(e)
		v.SetMapIndex(k, e)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	default:
		panic("no value for a " + v.Kind().String())
	}
}

// A cell's plan says all that a plan can say, and the study reads all of it.
func TestPlanIsAStudys(t *testing.T) {
	var whole study.Plan
	fill(reflect.ValueOf(&whole).Elem())
	whole.GroupNames = nil // noted when a plan file is read
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	var back study.Plan
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, whole) {
		t.Errorf("on the way through a cell's plan\n%+v\nbecame\n%+v", whole, back)
	}
}
