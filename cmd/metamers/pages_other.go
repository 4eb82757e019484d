//go:build !linux

package main

// largePages is of Linux.
func largePages() {}
