//go:build !linux

package weightfiles

import "os"

// memoryFile makes a file in the folder of temporary files.
func memoryFile(name string, data []byte) (*os.File, string, error) {
	f, err := os.CreateTemp("", "*-"+name)
	if err != nil {
		return nil, "", err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, "", err
	}
	return f, f.Name(), nil
}
