//go:build !linux

package main

import "testing"

func small(t *testing.T, dir string, bytes int) { t.Skip("no small file system can be mounted") }
