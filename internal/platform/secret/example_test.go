package secret_test

import (
	"fmt"
	"os"
	"path/filepath"

	"patrol/internal/platform/secret"
)

// A console keeps a secret, and later changes its key.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	keeper, err := secret.Open(filepath.Join(dir, "secrets.key"), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	column, err := keeper.Seal([]byte("xoxb-17"))
	if err != nil {
		fmt.Println(err)
		return
	}

	if err := keeper.Rotate(); err != nil {
		fmt.Println(err)
		return
	}
	if keeper.Stale(column) { // as for every row
		plain, err := keeper.Reveal(column)
		if err != nil {
			fmt.Println(err)
			return
		}
		if column, err = keeper.Seal(plain); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := keeper.Forget(); err != nil {
		fmt.Println(err)
		return
	}

	plain, err := keeper.Reveal(column)
	fmt.Println(string(plain), err)
	// Output: xoxb-17 <nil>
}
