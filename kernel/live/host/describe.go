package main

import (
	"fmt"
	"reflect"

	"github.com/ensemble-metamers/metamers/kernel/live/protocol"
	"github.com/ensemble-metamers/metamers/metamerkit/display"
)

const shortest = 80 // characters of a value in a list of variables

// describe says what a variable has.
func describe(p protocol.Place) (v protocol.Value) {
	defer func() {
		if r := recover(); r != nil {
			v.Text = fmt.Sprint(r)
		}
	}()
	l := packages[p.Package]
	if l == nil {
		return v
	}
	list := l.pointers()
	if p.Index >= len(list) {
		return v
	}
	at := reflect.ValueOf(list[p.Index])
	if at.Kind() != reflect.Pointer || at.IsNil() {
		return v
	}
	x := at.Elem()
	v.Type = x.Type().String()
	v.Bytes = size(x, map[uintptr]bool{}, 0)
	text := []rune(display.Text(x.Interface()))
	if len(text) > shortest {
		text = append(text[:shortest-1], '…')
	}
	v.Text = string(text)
	return v
}

// size is about the memory that a value takes, with what it refers to.
func size(x reflect.Value, seen map[uintptr]bool, depth int) int64 {
	n := int64(x.Type().Size())
	return n + behind(x, seen, depth)
}

// behind is about the memory that a value refers to.
func behind(x reflect.Value, seen map[uintptr]bool, depth int) (n int64) {
	const deepest, most = 8, 10000
	if depth > deepest {
		return 0
	}
	known := func(p uintptr) bool {
		was := seen[p] || len(seen) > most
		seen[p] = true
		return was
	}
	switch x.Kind() {
	case reflect.String:
		return int64(x.Len())
	case reflect.Pointer, reflect.Interface:
		if x.IsNil() || x.Kind() == reflect.Pointer && known(x.Pointer()) {
			return 0
		}
		return size(x.Elem(), seen, depth+1)
	case reflect.Slice:
		if x.IsNil() || known(x.Pointer()) {
			return 0
		}
		n = int64(x.Cap()) * int64(x.Type().Elem().Size())
		return n + elements(x, seen, depth)
	case reflect.Array:
		return elements(x, seen, depth)
	case reflect.Map:
		if x.IsNil() || known(x.Pointer()) {
			return 0
		}
		for i := x.MapRange(); i.Next(); {
			n += size(i.Key(), seen, depth+1) + size(i.Value(), seen, depth+1)
		}
	case reflect.Struct:
		for i := range x.NumField() {
			n += behind(x.Field(i), seen, depth+1)
		}
	}
	return n
}

// elements is what the elements of an array or slice refer to; of many, some count for
// all.
func elements(x reflect.Value, seen map[uintptr]bool, depth int) (n int64) {
	switch x.Type().Elem().Kind() {
	case reflect.String, reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
	default:
		return 0
	}
	const some = 1000
	for i := range min(x.Len(), some) {
		n += behind(x.Index(i), seen, depth+1)
	}
	if x.Len() > some {
		n = n / some * int64(x.Len())
	}
	return n
}
