//go:build race

package imagefs_test

// millionMiB: the race detector takes several times the memory.
const millionMiB = 8 * 512
