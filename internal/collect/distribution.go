package collect

import (
	"os"

	"patrol/internal/sbom"
)

// Distribution reads which operating system a tree is; zero if it does not say.
func Distribution(root string) sbom.Distribution {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return sbom.Distribution{}
	}
	defer func() { _ = dir.Close() }()
	return newInventory(tree{dir}, newOwnedFiles()).release.distribution()
}
