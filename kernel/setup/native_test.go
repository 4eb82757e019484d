package setup

import (
	"runtime"
	"testing"
)

func TestNative(t *testing.T) {
	t.Setenv("GOOS", "windows")
	t.Setenv("GOARCH", "arm64")
	foreign, err := settings("../..")
	if err != nil {
		t.Fatal(err)
	}
	Native()
	native, err := settings("../..")
	if err != nil {
		t.Fatal(err)
	}
	if setting(foreign, "GOOS") != "windows" || setting(native, "GOOS") != runtime.GOOS || setting(native, "GOARCH") != runtime.GOARCH {
		t.Errorf("the go command builds for %s/%s, expected %s/%s", setting(native, "GOOS"), setting(native, "GOARCH"), runtime.GOOS, runtime.GOARCH)
	}
}
