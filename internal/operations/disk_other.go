//go:build !unix

package operations

import "errors"

func space(string) (bytes, inodes uint64, err error) { return 0, 0, errors.ErrUnsupported }
