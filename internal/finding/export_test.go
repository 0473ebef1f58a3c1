package finding

// ReadVEX reads a document as Import does before it asks the database anything.
func ReadVEX(data []byte) error {
	doc, err := parseVEX(data)
	if err == nil {
		_, err = doc.assertions(VEXScope{})
	}
	return err
}
