package match

// Compare orders two versions as matching does.
func Compare(ecosystem, a, b string) (int, error) { return newLine(ecosystem, a).own.compare(a, b) }
