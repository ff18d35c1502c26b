package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// dict, array, string and bool are what our property lists are of.
type (
	pair struct {
		key   string
		value any
	}
	dict  []pair
	array []string
)

const plistHead = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
`

// encode writes a property list. It has no comments: codesign drops entitlements
// that have, and says nothing.
func (d dict) encode() []byte {
	var b bytes.Buffer
	b.WriteString(plistHead)
	d.write(&b, "")
	b.WriteString("</plist>\n")
	return b.Bytes()
}

func (d dict) write(b *bytes.Buffer, indent string) {
	fmt.Fprintf(b, "%s<dict>\n", indent)
	for _, p := range d {
		fmt.Fprintf(b, "%s\t<key>%s</key>\n", indent, escape(p.key))
		switch v := p.value.(type) {
		case bool:
			fmt.Fprintf(b, "%s\t<%t/>\n", indent, v)
		case string:
			fmt.Fprintf(b, "%s\t<string>%s</string>\n", indent, escape(v))
		case array:
			fmt.Fprintf(b, "%s\t<array>\n", indent)
			for _, one := range v {
				fmt.Fprintf(b, "%s\t\t<string>%s</string>\n", indent, escape(one))
			}
			fmt.Fprintf(b, "%s\t</array>\n", indent)
		case dict:
			v.write(b, indent+"\t")
		}
	}
	fmt.Fprintf(b, "%s</dict>\n", indent)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}

var errPlist = errors.New("not a property list of ours")

// parsePlist reads a property list strictly: one dict, no comments, no key twice.
func parsePlist(content []byte) (map[string]any, error) {
	d := xml.NewDecoder(bytes.NewReader(content))
	if err := expect(d, "plist"); err != nil {
		return nil, err
	}
	if err := expect(d, "dict"); err != nil {
		return nil, err
	}
	m, err := parseDict(d)
	if err != nil {
		return nil, err
	}
	for {
		switch t, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return m, nil
		case err != nil:
			return nil, err
		default:
			if _, comment := t.(xml.Comment); comment {
				return nil, fmt.Errorf("%w: a comment", errPlist)
			}
		}
	}
}

// next gives the next token that is not white space; comments are errors.
func next(d *xml.Decoder) (xml.Token, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) == 0 {
				continue
			}
			return t, nil
		case xml.Comment:
			return nil, fmt.Errorf("%w: a comment", errPlist)
		case xml.ProcInst, xml.Directive:
			continue
		}
		return t, nil
	}
}

func expect(d *xml.Decoder, name string) error {
	t, err := next(d)
	if err != nil {
		return err
	}
	if s, ok := t.(xml.StartElement); !ok || s.Name.Local != name {
		return fmt.Errorf("%w: no %s", errPlist, name)
	}
	return nil
}

// parseDict reads to the end of a dict.
func parseDict(d *xml.Decoder) (map[string]any, error) {
	m := map[string]any{}
	for {
		t, err := next(d)
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return m, nil
		case xml.StartElement:
			var key string
			if err := d.DecodeElement(&key, &t); err != nil || t.Name.Local != "key" {
				return nil, fmt.Errorf("%w: %s in place of a key", errPlist, t.Name.Local)
			}
			if _, twice := m[key]; twice || key == "" {
				return nil, fmt.Errorf("%w: the key %q, twice or empty", errPlist, key)
			}
			if m[key], err = parseValue(d); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("%w: text in a dict", errPlist)
		}
	}
}

func parseValue(d *xml.Decoder) (any, error) {
	t, err := next(d)
	if err != nil {
		return nil, err
	}
	s, ok := t.(xml.StartElement)
	if !ok {
		return nil, fmt.Errorf("%w: a key without a value", errPlist)
	}
	switch s.Name.Local {
	case "true", "false":
		return s.Name.Local == "true", d.Skip()
	case "dict":
		return parseDict(d)
	case "string":
		var text string
		err := d.DecodeElement(&text, &s)
		return text, err
	case "array":
		var list struct {
			Strings []string `xml:"string"`
		}
		err := d.DecodeElement(&list, &s)
		return list.Strings, err
	default:
		return nil, fmt.Errorf("%w: %s", errPlist, s.Name.Local)
	}
}
