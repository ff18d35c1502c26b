package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// JSON writes v as one indented document. What a terminal would act on or not
// show is escaped, which changes nothing for whoever parses it: encoding/json leaves
// C1 controls and characters that turn the direction of writing as they are.
func JSON(w io.Writer, v any) error {
	encoded, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, c := range string(encoded) {
		if c == '\n' || unicode.IsPrint(c) {
			out.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}
