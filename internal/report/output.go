package report

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say how to write.
type Options struct {
	// Color is for terminals.
	Color bool
}

// formats are all formats, in the order in which they are told.
var formats = []struct {
	name string
	open func(io.Writer, Options) Format
}{
	{"table", newTable},
	{"json", newJSON},
	{"sarif", newSARIF},
	{"cyclonedx", newCycloneDX},
	{"spdx", newSPDX},
	{"openvex", newOpenVEX},
	{"csv", newCSV},
	{"html", newHTML},
}

// Formats are the names of all formats, separated by commas.
func Formats() string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// NewFormat returns the format of that name, which writes to w.
func NewFormat(name string, w io.Writer, o Options) (Format, error) {
	for _, f := range formats {
		if f.name == name {
			return f.open(w, o), nil
		}
	}
	return nil, fmt.Errorf("%q is none of %s", name, Formats())
}

// Outputs are the places that a report goes to. A file is there once it is
// complete, and not before: a scan that fails leaves the file of the one before.
type Outputs struct{ outputs []*output }

// output is one format with its destination: a file, a device, or stdout.
type output struct {
	Format
	buffer *bufio.Writer
	name   string   // of the file; empty for others
	device *os.File // what has the name that was given and is no regular file
}

// OpenOutputs reads what --output says, each FORMAT or FORMAT=FILE, and finds out
// whether the files can be written. Close the outputs, whether they were written
// or not.
func OpenOutputs(specs []string, stdout io.Writer, o Options) (opened *Outputs, err error) {
	all := &Outputs{}
	defer func() {
		if err != nil {
			all.Close()
		}
	}()
	var onStdout []string
	var names []string
	for _, spec := range specs {
		format, name, toFile := strings.Cut(spec, "=")
		out, err := openOutput(format, name, toFile, stdout, o)
		if err != nil {
			return nil, fmt.Errorf("--output %s: %w", spec, err)
		}
		all.outputs = append(all.outputs, out)
		if !toFile {
			onStdout = append(onStdout, format)
			continue
		}
		if slices.Contains(names, filepath.Clean(name)) {
			return nil, fmt.Errorf("--output %s: another format goes to that file", spec)
		}
		names = append(names, filepath.Clean(name))
	}
	if len(onStdout) > 1 {
		return nil, fmt.Errorf("--output %s: only one of them can go to stdout; name a file for the others: --output %s=FILE", strings.Join(onStdout, " and "), onStdout[1])
	}
	return all, nil
}

func openOutput(format, name string, toFile bool, stdout io.Writer, o Options) (*output, error) {
	out := &output{buffer: bufio.NewWriter(stdout)}
	if toFile {
		o = Options{}
	}
	f, err := NewFormat(format, out.buffer, o)
	if err != nil || !toFile {
		out.Format = f
		return out, err
	}
	if name == "" {
		return nil, errors.New("name the file after the equals sign")
	}
	out.Format = f
	return out, out.open(name)
}

// open opens what exists and is no regular file, such as a pipe. A file is begun
// only when the scan is over, so that one that is killed leaves none behind; that
// it can be is found out now.
func (o *output) open(name string) error {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory; name a file in it", name)
	case err == nil && !info.Mode().IsRegular():
		if o.device, err = os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			o.buffer.Reset(o.device)
		}
		return err
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	o.name = name
	f, err := o.begin()
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// begin makes a file beside the one that is meant.
func (o *output) begin() (*os.File, error) {
	return os.CreateTemp(filepath.Dir(o.name), "."+filepath.Base(o.name)+".*")
}

// Write writes the report in all formats.
func (o *Outputs) Write(r *Report) error {
	for _, out := range o.outputs {
		if err := out.write(r); err != nil {
			return fmt.Errorf("writing the report to %s: %w", cmp.Or(out.name, "stdout"), err)
		}
	}
	return nil
}

func (o *output) write(r *Report) error {
	if o.name != "" {
		return o.writeFile(r)
	}
	return errors.Join(r.Write(o.Format), o.buffer.Flush())
}

func (o *output) writeFile(r *Report) error {
	file, err := o.begin()
	if err != nil {
		return err
	}
	o.buffer.Reset(file)
	// CreateTemp's mode is for secrets; a report has the usual one.
	err = errors.Join(r.Write(o.Format), o.buffer.Flush(), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), o.name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// Close closes devices.
func (o *Outputs) Close() error {
	var errs []error
	for _, out := range o.outputs {
		if out.device != nil {
			errs = append(errs, out.device.Close())
			out.device = nil
		}
	}
	return errors.Join(errs...)
}
