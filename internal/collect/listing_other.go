//go:build !linux

package collect

import "os"

// list appends the next entries of the directory d, open as f, in no order; with
// io.EOF there are none.
func list(d *os.Root, f *os.File, entries []entry) ([]entry, error) {
	const batch = 256
	found, err := f.ReadDir(batch)
	for _, e := range found {
		entries = append(entries, entry{d, e.Name(), e.Type()})
	}
	return entries, err
}
