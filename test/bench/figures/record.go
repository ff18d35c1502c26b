package figures

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Record is one run.
type Record struct {
	Date    string `json:"date"`    // 2006-01-02
	Machine string `json:"machine"` // in a few words
	Rows    []Row  `json:"rows"`
}

// Read reads a record that Write has written.
func Read(path string) (*Record, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(Record)
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Write keeps a record.
func (r *Record) Write(path string) error {
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return write(path, append(encoded, '\n'))
}

// Below a directory of documents.
const (
	recordFile = "bench.json"
	pageFile   = "bench.md"
	imagesDir  = "images"
)

// Document writes r into the documents in dir: the record, the page's tables and the
// drawings.
func (r *Record) Document(dir string) error {
	file := filepath.Join(dir, pageFile)
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if page, err = r.Page(page); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return errors.Join(r.Write(filepath.Join(dir, recordFile)), write(file, page), r.Draw(filepath.Join(dir, imagesDir)))
}

// Draw writes the drawings into dir.
func (r *Record) Draw(dir string) error {
	drawings, err := r.Drawings()
	if err != nil {
		return err
	}
	var errs []error
	for name, content := range drawings {
		errs = append(errs, write(filepath.Join(dir, name), content))
	}
	return errors.Join(errs...)
}

// write writes what everybody may read.
func write(path string, content []byte) error {
	return os.WriteFile(path, content, 0o644)
}

// The marks between which a page's tables stand.
const (
	beginMark = "<!-- figures: written by make bench -->\n"
	endMark   = "<!-- end of figures -->\n"
)

// Page gives page with r's tables between its marks.
func (r *Record) Page(page []byte) ([]byte, error) {
	before, rest, begins := strings.Cut(string(page), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return nil, errors.New("the marks between which the figures stand are missing")
	}
	return []byte(before + beginMark + r.tables() + endMark + after), nil
}

// tables is all rows in Markdown.
func (r *Record) tables() string {
	var out strings.Builder
	fmt.Fprintf(&out, "Recorded on %s; %s.\n", cell(r.Date), cell(r.Machine))
	section := ""
	for _, row := range r.Rows {
		if row.Section != section {
			section = row.Section
			fmt.Fprintf(&out, "\n### %s\n\n| what | figure | against | aim | |\n|---|--:|---|---|---|\n", cell(section))
		}
		verdict := row.Verdict()
		if row.Met != nil && !*row.Met {
			verdict = "**" + verdict + "**"
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", cell(row.Name), cell(row.Figure()), cell(row.Compared()), cell(row.Aim), verdict)
	}
	return out.String()
}

// cell is text as a cell of a table, or any line, in Markdown.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(text)
}
