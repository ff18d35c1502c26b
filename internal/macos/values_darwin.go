package macos

import "unsafe"

// String makes a string; the caller releases it.
func (l *Library) String(s string) Ref {
	text := append([]byte(s), 0)
	return l.C.CFStringCreateWithBytes(0, &text[0], len(s), KCFStringEncodingUTF8, false)
}

// Data makes data; the caller releases it.
func (l *Library) Data(b []byte) Ref {
	content := append(append([]byte(nil), b...), 0)
	return l.C.CFDataCreate(0, &content[0], len(b))
}

// Number makes a number; the caller releases it.
func (l *Library) Number(n int64) Ref { return l.C.CFNumberCreate(0, KCFNumberSInt64Type, &n) }

// Dict makes a dictionary, which keeps what is in it; the caller releases it.
func (l *Library) Dict(pairs ...[2]Ref) Ref {
	d := l.C.CFDictionaryCreateMutable(0, 0, l.A.DictionaryKeyCallBacks, l.A.DictionaryValueCallBacks)
	for _, p := range pairs {
		l.C.CFDictionarySetValue(d, p[0], p[1])
	}
	return d
}

// Array makes an array, which keeps what is in it; the caller releases it.
func (l *Library) Array(items ...Ref) Ref {
	values := append(items, 0)
	return l.C.CFArrayCreate(0, &values[0], len(items), l.A.ArrayCallBacks)
}

// Items gives what is in an array, and nothing for 0. They live as long as it does.
func (l *Library) Items(array Ref) []Ref {
	if array == 0 {
		return nil
	}
	var items []Ref
	for i := range l.C.CFArrayGetCount(array) {
		items = append(items, l.C.CFArrayGetValueAtIndex(array, i))
	}
	return items
}

// Strings copies a dictionary of strings, and gives nothing for 0.
func (l *Library) Strings(dict Ref) map[string]string {
	copied := map[string]string{}
	if dict == 0 {
		return copied
	}
	n := l.C.CFDictionaryGetCount(dict)
	keys, values := make([]Ref, n+1), make([]Ref, n+1)
	l.C.CFDictionaryGetKeysAndValues(dict, &keys[0], &values[0])
	for i := range n {
		copied[l.Text(keys[i])] = l.Text(values[i])
	}
	return copied
}

// Release releases all of them but 0.
func (l *Library) Release(refs ...Ref) {
	for _, r := range refs {
		if r != 0 {
			l.C.CFRelease(r)
		}
	}
}

// Bytes copies data, nil for 0.
func (l *Library) Bytes(data Ref) []byte {
	if data == 0 {
		return nil
	}
	n := l.C.CFDataGetLength(data)
	if n <= 0 {
		return []byte{}
	}
	return append([]byte(nil), unsafe.Slice(l.C.CFDataGetBytePtr(data), n)...) //nolint:gosec // The data's own length.
}

// Text copies a string, "" for 0.
func (l *Library) Text(s Ref) string {
	if s == 0 {
		return ""
	}
	room := l.C.CFStringGetMaximumSizeForEncoding(l.C.CFStringGetLength(s), KCFStringEncodingUTF8) + 1
	if room < 1 {
		return ""
	}
	text := make([]byte, room)
	if !l.C.CFStringGetCString(s, &text[0], room, KCFStringEncodingUTF8) {
		return ""
	}
	for i, c := range text {
		if c == 0 {
			return string(text[:i])
		}
	}
	return ""
}

// Int64 reads a number; ok is false for what is none.
func (l *Library) Int64(number Ref) (n int64, ok bool) {
	ok = l.C.CFNumberGetValue(number, KCFNumberSInt64Type, &n)
	return n, ok
}

// Error copies an error that somebody else owns.
func (l *Library) Error(err Ref) error {
	if err == 0 {
		return &Error{Text: "it failed without an error"}
	}
	text := l.C.CFErrorCopyDescription(err)
	defer l.Release(text)
	return &Error{Domain: l.Text(l.C.CFErrorGetDomain(err)), Code: l.C.CFErrorGetCode(err), Text: l.Text(text)}
}

// Taken is Error for an error that is ours to release.
func (l *Library) Taken(err Ref) error {
	defer l.Release(err)
	return l.Error(err)
}

// Status makes an error of a result code of Security, nil for 0.
func (l *Library) Status(code int32) error {
	if code == 0 {
		return nil
	}
	text := l.C.SecCopyErrorMessageString(code, 0)
	defer l.Release(text)
	return &Error{Domain: DomainOSStatus, Code: int(code), Text: l.Text(text)}
}
