package backend

import "github.com/shirou/gopsutil/v4/mem"

// FreeMemory returns the bytes of host memory that programs can still take.
func FreeMemory() (uint64, error) {
	v, err := mem.VirtualMemory()
	if err != nil {
		return 0, err
	}
	return v.Available, nil
}
