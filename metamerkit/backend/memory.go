package backend

import "github.com/shirou/gopsutil/v4/mem"

// FreeMemory returns the bytes of memory that what is computed can take: on a GPU the three
// quarters of its memory that XLA takes at its start, 0 where its driver does not say, else
// the host's.
func (b *Backend) FreeMemory() (uint64, error) {
	if b.Kind != CUDA {
		return FreeMemory()
	}
	b.asked.Do(func() {
		if mib, ok := driverSays("memory.total"); ok {
			b.total = uint64(mib * (1 << 20))
		}
	})
	return b.total / 4 * 3, nil
}

// FreeMemory returns the bytes of host memory that programs can still take.
func FreeMemory() (uint64, error) {
	v, err := mem.VirtualMemory()
	if err != nil {
		return 0, err
	}
	return v.Available, nil
}
