package document

import (
	"bytes"
	"encoding/json"
)

// MostBytes is what a record never exceeds as a line: the 64 KiB at which log stores
// cut messages in two, less what they wrap around it.
const MostBytes = 60 << 10

// Line writes a value as one line of JSON without its end. Characters that matter to
// HTML only are written as they are: they are to be read, and searched, as they stand.
func Line(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Batches divides lines, in their order, so that those of each batch and as many line
// ends are at most limit bytes. The same lines always make the same batches, so what
// is sent again is recognised where the far side compares. A line that exceeds the
// limit is a batch of its own.
func Batches(lines [][]byte, limit int) [][][]byte {
	var batches [][][]byte
	size := 0
	for _, line := range lines {
		if len(batches) == 0 || size+len(line)+1 > limit {
			batches, size = append(batches, nil), 0
		}
		last := len(batches) - 1
		batches[last] = append(batches[last], line)
		size += len(line) + 1
	}
	return batches
}

// Join is a batch as it is sent: each line with its end.
func Join(lines [][]byte) []byte {
	var b bytes.Buffer
	for _, line := range lines {
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.Bytes()
}
