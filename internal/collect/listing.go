package collect

import (
	"io/fs"
	"os"
)

// entry is what stands in a directory under a name. What else there is to know of
// it is asked for when it is wanted, which for most files is never: within an
// os.Root a listing of the os package asks for each.
type entry struct {
	dir  *os.Root
	name string
	mode fs.FileMode // its type bits
}

// Name returns the last element of the path.
func (e *entry) Name() string { return e.name }

// IsDir tells whether it is a directory.
func (e *entry) IsDir() bool { return e.mode.IsDir() }

// Type returns the type bits of the mode.
func (e *entry) Type() fs.FileMode { return e.mode }

// Info describes it as it is now; links are not followed.
func (e *entry) Info() (fs.FileInfo, error) { return e.dir.Lstat(e.name) }
