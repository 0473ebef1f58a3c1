package secret

// OpenTelling is Open, and tells of each step of writing the key file.
func OpenTelling(path string, reached func(step string)) (*Keeper, error) {
	return open(keyFile{path: path, reached: reached}, "")
}
