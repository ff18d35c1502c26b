package transcript

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The forms of a value or a pattern.
type (
	node    interface{ source() string }
	literal struct{ value any }
	ref     struct{ name string }
	blank   struct{}
	call    struct {
		name string
		args []node
	}
	list    struct{ items []node }
	mapping struct {
		entries []entry
		open    bool // further entries are allowed
	}
	both  struct{ one, other node }
	entry struct {
		key   any
		value node
	}
)

func (n literal) source() string { return show(n.value, "") }
func (n ref) source() string     { return "$" + n.name }
func (blank) source() string     { return "_" }
func (n call) source() string    { return n.name + "(" + sources(n.args) + ")" }
func (n list) source() string    { return "[" + sources(n.items) + "]" }
func (n both) source() string    { return n.one.source() + " & " + n.other.source() }

func (n mapping) source() string {
	var all []string
	for _, e := range n.entries {
		all = append(all, show(e.key, "")+": "+e.value.source())
	}
	if n.open {
		all = append(all, "...")
	}
	return "{" + strings.Join(all, ", ") + "}"
}

func sources(nodes []node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.source())
	}
	return strings.Join(all, ", ")
}

// parser reads one value after another from text.
type parser struct {
	text string
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) && unicode.IsSpace(rune(p.text[p.at])) {
		p.at++
	}
}

// accept takes token if it comes next.
func (p *parser) accept(token string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], token) {
		p.at += len(token)
		return true
	}
	return false
}

func (p *parser) done() bool { p.space(); return p.at == len(p.text) }

func (p *parser) wrong(what string) error {
	return fmt.Errorf("%s expected at %q", what, p.text[p.at:])
}

// run takes characters while they are of a kind.
func (p *parser) run(of func(rune) bool) string {
	begin := p.at
	for p.at < len(p.text) && of(rune(p.text[p.at])) {
		p.at++
	}
	return p.text[begin:p.at]
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// node reads a value or pattern.
func (p *parser) node() (node, error) {
	one, err := p.single()
	if err != nil || !p.accept("&") {
		return one, err
	}
	other, err := p.node()
	return both{one, other}, err
}

func (p *parser) single() (node, error) {
	switch {
	case p.accept("{"):
		return p.mapping()
	case p.accept("["):
		items, err := p.nodes("]")
		return list{items}, err
	case p.accept("$"):
		if name := p.run(wordly); name != "" {
			return ref{name}, nil
		}
		return nil, p.wrong("a name")
	case p.accept("_"):
		return blank{}, nil
	case p.accept("h'"):
		text, _, ok := strings.Cut(p.text[p.at:], "'")
		value, err := hex.DecodeString(text)
		if !ok || err != nil {
			return nil, p.wrong("hexadecimal bytes")
		}
		p.at += len(text) + 1
		return literal{value}, nil
	case p.accept(`"`):
		p.at--
		quoted, err := strconv.QuotedPrefix(p.text[p.at:])
		if err != nil {
			return nil, p.wrong("a text")
		}
		p.at += len(quoted)
		text, err := strconv.Unquote(quoted)
		return literal{text}, err
	}
	return p.word()
}

// word reads a number, a truth value or a call.
func (p *parser) word() (node, error) {
	sign := ""
	if p.accept("-") {
		sign = "-"
	}
	word := p.run(wordly)
	switch {
	case word == "":
		return nil, p.wrong("a value")
	case word == "true" || word == "false":
		return literal{word == "true"}, nil
	case unicode.IsDigit(rune(word[0])):
		n, err := strconv.ParseInt(sign+word, 0, 64)
		return literal{n}, err
	case !p.accept("("):
		return nil, p.wrong("( after " + word)
	}
	args, err := p.nodes(")")
	return call{word, args}, err
}

// nodes reads values with commas between them, up to end.
func (p *parser) nodes(end string) (all []node, err error) {
	for first := true; !p.accept(end); first = false {
		if !first && !p.accept(",") {
			return nil, p.wrong(", or " + end)
		}
		n, err := p.node()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func (p *parser) mapping() (node, error) {
	var m mapping
	for first := true; !p.accept("}"); first = false {
		if !first && !p.accept(",") {
			return nil, p.wrong(", or }")
		}
		if p.accept("...") {
			m.open = true
			continue
		}
		key, err := p.single()
		if err != nil {
			return nil, err
		}
		fixed, ok := key.(literal)
		if !ok || !p.accept(":") {
			return nil, p.wrong("a key and :")
		}
		value, err := p.node()
		if err != nil {
			return nil, err
		}
		m.entries = append(m.entries, entry{fixed.value, value})
	}
	return m, nil
}

// parse reads text, all of it, as one value or pattern.
func parse(text string) (node, error) {
	p := &parser{text: text}
	n, err := p.node()
	if err == nil && !p.done() {
		err = p.wrong("the end")
	}
	return n, err
}
