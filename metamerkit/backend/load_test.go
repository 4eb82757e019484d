package backend

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What the driver's program says is added up over the time between two answers; where it
// is missing or says something else there is nothing.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CUDA_VISIBLE_DEVICES", "3,1")
	answer := func(text string) {
		t.Helper()
		script := "#!/bin/sh\n[ \"$3\" = --id=3 ] && echo '" + text + "'\n"
		if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	answer("75")
	now := time.Now()
	l := load{last: now.Add(-2 * time.Second)}
	l.add(now, 0.75, true)
	if l.busy != 1500*time.Millisecond || l.querying || l.last != now {
		t.Errorf("%v of 2 s at 75 %%", l.busy)
	}
	l = load{last: now.Add(-time.Minute)}
	if l.add(now, 0.75, true); l.busy != 0 {
		t.Errorf("a pause of a minute counts as %v", l.busy)
	}
	if share, ok := utilisation(); share != 0.75 || !ok {
		t.Errorf("utilisation %v, %v", share, ok)
	}
	answer("81559")
	if free, err := (&Backend{Kind: CUDA}).FreeMemory(); err != nil || free != 81559*(1<<20)/4*3 {
		t.Errorf("%d bytes of a GPU: %v", free, err)
	}
	answer("[N/A]")
	if free, err := (&Backend{Kind: CUDA}).FreeMemory(); err != nil || free != 0 {
		t.Errorf("%d bytes of a GPU of which nothing is said: %v", free, err)
	}
	for _, text := range []string{"[N/A]", "175", ""} {
		answer(text)
		if share, ok := utilisation(); ok {
			t.Errorf("%q counts as %v", text, share)
		}
	}
}

// The processor time of this process grows with its work, and its peak of memory with
// what it holds.
func TestUsed(t *testing.T) {
	b := &Backend{Kind: Go}
	before := b.Used()
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = byte(i)
	}
	for b.Used().Processor == before.Processor {
	}
	after := b.Used()
	if after.Processor < before.Processor || after.Cores < 1 || after.Device != 0 {
		t.Errorf("%+v, then %+v", before, after)
	}
	if before.Memory == 0 {
		t.Skip("the system does not say how much memory a process has held")
	}
	if after.Memory < 64<<20 {
		t.Errorf("%d bytes held, of which %d were here", after.Memory, len(held))
	}
}
