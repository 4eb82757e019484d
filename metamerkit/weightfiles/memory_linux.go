package weightfiles

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile makes a file that lies in memory alone and lives as long as the process.
func memoryFile(name string, data []byte) (*os.File, string, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", fmt.Errorf("a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("a file in memory: %w", err)
	}
	return f, fmt.Sprintf("/proc/self/fd/%d", fd), nil
}
