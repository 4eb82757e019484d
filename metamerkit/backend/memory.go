package backend

import "github.com/shirou/gopsutil/v4/mem"

// FreeMemory returns the memory that computations can use, in bytes: on a GPU the three
// quarters of its memory that XLA allocates at its start, 0 if the driver does not state it;
// otherwise that of the host, without what steps have left to the next ones (see GiveBack).
func (b *Backend) FreeMemory() (uint64, error) {
	if b.Kind != CUDA {
		return FreeMemory()
	}
	b.query.Do(func() {
		if mib, ok := driverSays("memory.total"); ok {
			b.total = uint64(mib * (1 << 20))
		}
	})
	return b.total / 4 * 3, nil
}

// FreeMemory returns the available memory of the host in bytes.
func FreeMemory() (uint64, error) {
	v, err := mem.VirtualMemory()
	if err != nil {
		return 0, err
	}
	return v.Available, nil
}
