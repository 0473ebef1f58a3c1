//go:build !race

package imagefs_test

// millionMiB is what a million empty files may cost.
const millionMiB = 512
