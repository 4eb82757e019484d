//go:build unix && !linux

package main

func fullDisk(*campaign) string { return "mounts are tested on Linux" }
func readOnly(*campaign) string { return "mounts are tested on Linux" }
