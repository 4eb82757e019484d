package main

import (
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"
)

// override sets a setting to the value of a flag, unless that is zero: the flag was left out.
func override[T comparable](setting *T, flag T) {
	var zero T
	if flag != zero {
		*setting = flag
	}
}

// checkPositive returns an error if a flag with the tag positive was given as 0. Such a
// flag stands for its default where it is 0, so that 0 would be taken for that without a
// word.
func checkPositive(flags []*kong.Flag) error {
	for _, f := range flags {
		if f.Set && f.Tag.Has("positive") && reflect.ValueOf(f.Target.Interface()).IsZero() {
			return fmt.Errorf("--%s is 0, expected a number above 0; leave the flag out for the default", f.Name)
		}
	}
	return nil
}
