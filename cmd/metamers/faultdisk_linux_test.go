package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// fullDisk lets the disk run full while a run is made, then has room again.
func fullDisk(c *campaign) string {
	dir := c.dir()
	size := func(n int, flags uintptr) error {
		return syscall.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%dk,nr_inodes=200", n))
	}
	if err := size(400, 0); err != nil {
		return fmt.Sprintf("no small file system can be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	done := c.with(dir, 0)
	fill := 400 - used(dir) - c.rng.IntN(60)
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, max(fill, 0)<<10), 0o644); err != nil {
		os.Truncate(filepath.Join(dir, "filler"), int64(max(fill-8, 0))<<10)
	}
	out, err := c.synth(dir, 1).CombinedOutput()
	if err != nil {
		c.said("a full disk", string(out), "no space left on device")
	}
	c.look(dir, "a full disk", done)
	if err := size(4000, syscall.MS_REMOUNT); err != nil {
		c.t.Fatal(err)
	}
	c.goOn(dir, "a full disk", 1)
	c.look(dir, "a full disk", done, c.ids[1])
	return ""
}

// used is in kilobytes.
func used(dir string) int {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0
	}
	return int((st.Blocks - st.Bfree) * uint64(st.Bsize) >> 10)
}

// readOnly makes the store read-only between two starts.
func readOnly(c *campaign) string {
	dir := c.dir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Sprintf("no file system can be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	done := c.with(dir, 0)
	c.kill("worker", c.synth(dir, 1))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		c.t.Fatal(err)
	}
	out, err := c.synth(dir, 2).CombinedOutput()
	if err == nil {
		c.t.Errorf("seed %d: a run was made in a store that is read-only: %s", c.seed, out)
	}
	c.said("read-only", string(out), "read-only file system")
	c.goOn(dir, "read-only", 0) // what is there is returned at once
	for _, args := range [][]string{{"runs", "--store", dir}, {"runs", "show", done, "--store", dir}} {
		if out, err := program(c.t, args...).CombinedOutput(); err != nil {
			c.t.Errorf("seed %d: %v in a store that is read-only: %v: %s", c.seed, args, err, out)
		}
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
		c.t.Fatal(err)
	}
	c.goOn(dir, "read-only", 1)
	c.look(dir, "read-only", done, c.ids[1])
	return ""
}
