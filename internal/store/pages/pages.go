package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// From bbolt's file format, version 2 (internal/common of that module): offsets
// and sizes in bytes, native byte order.
const (
	boltMagic        = 0xED0CDAED
	boltVersion      = 2
	pageHeaderBytes  = 16 // id, flags, count, overflow
	elementBytes     = 16
	metaBytes        = 64
	metaSummedBytes  = 56
	bucketBytes      = 16 // root page, sequence
	branchFlag       = 0x01
	leafFlag         = 0x02
	freelistFlag     = 0x10
	bucketEntryFlag  = 0x01
	manyFreePages    = 0xFFFF // the true count is the first id
	firstDataPage    = 2
	minPageSizeBytes = 1024
	maxPageSizeBytes = 1 << 16
)

// What Check finds wrong.
var (
	ErrForeign  = errors.New("not a bbolt file")
	ErrCutShort = errors.New("pages are missing at the end")
	ErrDamaged  = errors.New("damaged page")
)

func damage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// meta is one of the file's two heads; the one of the later transaction counts.
type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	pages    uint64
	txid     uint64
}

// check is one walk over a file's tree.
type check struct {
	file  io.ReaderAt
	meta  meta
	seen  []bool
	spare [][]byte // pages of memory that nobody reads any more
}

// page is one page with its overflow, or the body of an inline bucket.
type page struct {
	flags uint16
	count int
	data  []byte // with the header
}

// Check makes sure that bbolt will not stumble over the structure of a file of
// sizeBytes: both heads are whole, every page is used once, elements lie one
// behind the other, and keys are in order. A damaged head is refused although bbolt
// would fall back on the other one: that is the state before the last transaction.
// Errors are, or wrap, those above, or are file's.
func Check(file io.ReaderAt, sizeBytes int64) error {
	m, err := readMetas(file, sizeBytes)
	if err != nil {
		return err
	}
	if m.pages > uint64(sizeBytes)/uint64(m.pageSize) { //nolint:gosec // a file's size is not negative
		return ErrCutShort
	}
	c := &check{file: file, meta: m, seen: make([]bool, m.pages)}
	c.seen[0], c.seen[1] = true, true
	if err := c.freelist(); err != nil {
		return err
	}
	return c.tree(m.root, nil, nil)
}

func readMetas(file io.ReaderAt, sizeBytes int64) (meta, error) {
	first, firstErr := readMeta(file, 0)
	if errors.Is(firstErr, ErrForeign) || sizeBytes < 2*minPageSizeBytes {
		return meta{}, ErrForeign
	}
	if firstErr != nil {
		return meta{}, firstErr
	}
	second, err := readMeta(file, int64(first.pageSize))
	switch {
	case errors.Is(err, io.EOF):
		return meta{}, ErrCutShort
	case errors.Is(err, ErrForeign):
		return meta{}, damage("the second head is missing")
	case err != nil:
		return meta{}, err
	case second.pageSize != first.pageSize:
		return meta{}, damage("the heads disagree about the page size")
	case second.txid > first.txid:
		return second, nil
	default:
		return first, nil
	}
}

func readMeta(file io.ReaderAt, at int64) (meta, error) {
	raw := make([]byte, metaBytes)
	if _, err := file.ReadAt(raw, at+pageHeaderBytes); err != nil {
		return meta{}, err
	}
	order := binary.NativeEndian
	if order.Uint32(raw) != boltMagic || order.Uint32(raw[4:]) != boltVersion {
		return meta{}, ErrForeign
	}
	sum := fnv.New64a()
	_, _ = sum.Write(raw[:metaSummedBytes])
	if order.Uint64(raw[metaSummedBytes:]) != sum.Sum64() {
		return meta{}, damage("a head's checksum is wrong")
	}
	m := meta{
		pageSize: order.Uint32(raw[8:]),
		root:     order.Uint64(raw[16:]),
		freelist: order.Uint64(raw[32:]),
		pages:    order.Uint64(raw[40:]),
		txid:     order.Uint64(raw[48:]),
	}
	if m.pageSize < minPageSizeBytes || m.pageSize > maxPageSizeBytes || m.pageSize&(m.pageSize-1) != 0 || m.pages <= firstDataPage {
		return meta{}, damage("a head's sizes are impossible")
	}
	return m, nil
}

// read gives the page and marks it, and its overflow, as used. Whoever is through with it
// calls done.
func (c *check) read(id uint64) (page, error) {
	if id < firstDataPage || id >= c.meta.pages {
		return page{}, damage("page %d is outside the file", id)
	}
	size := int64(c.meta.pageSize)
	at := int64(id) * size //nolint:gosec // id is below the number of pages, which fit into the file
	data := c.buffer()
	if _, err := c.file.ReadAt(data, at); err != nil {
		return page{}, err
	}
	order := binary.NativeEndian
	overflow := uint64(order.Uint32(data[12:]))
	if order.Uint64(data) != id || overflow >= c.meta.pages-id {
		return page{}, damage("page %d has a bad header", id)
	}
	for used := id; used <= id+overflow; used++ {
		if c.seen[used] {
			return page{}, damage("page %d is used twice", used)
		}
		c.seen[used] = true
	}
	if overflow > 0 {
		c.spare = append(c.spare, data)
		data = make([]byte, size*int64(overflow+1)) //nolint:gosec // bounded by the file's size
		if _, err := c.file.ReadAt(data, at); err != nil {
			return page{}, err
		}
	}
	return page{flags: order.Uint16(data[8:]), count: int(order.Uint16(data[10:])), data: data}, nil
}

// buffer has room for one page.
func (c *check) buffer() []byte {
	last := len(c.spare) - 1
	if last < 0 {
		return make([]byte, c.meta.pageSize)
	}
	b := c.spare[last]
	c.spare = c.spare[:last]
	return b
}

// done lets the next page that is read have this one's memory.
func (c *check) done(p page) {
	if len(p.data) == int(c.meta.pageSize) {
		c.spare = append(c.spare, p.data)
	}
}

// freelist checks the list of pages to be written to next: a page that is both
// free and in use would be overwritten.
func (c *check) freelist() error {
	p, err := c.read(c.meta.freelist)
	if err != nil {
		return err
	}
	defer c.done(p)
	if p.flags != freelistFlag {
		return damage("the list of free pages is missing")
	}
	ids, count := p.data[pageHeaderBytes:], uint64(p.count) //nolint:gosec // it was a uint16
	if count == manyFreePages {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return damage("the list of free pages is too long")
	}
	for i := range count {
		id := binary.NativeEndian.Uint64(ids[8*i:])
		if id < firstDataPage || id >= c.meta.pages || c.seen[id] {
			return damage("page %d cannot be free", id)
		}
		c.seen[id] = true
	}
	return nil
}

// tree checks the pages under id, whose keys lie in [from, to); nil is no bound.
// No page is used twice, so this ends.
func (c *check) tree(id uint64, from, to []byte) error {
	p, err := c.read(id)
	if err != nil {
		return err
	}
	defer c.done(p)
	switch p.flags {
	case leafFlag:
		return c.leaf(p, from, to)
	case branchFlag:
		return c.branch(p, from, to)
	default:
		return damage("page %d is of no kind", id)
	}
}

func (c *check) branch(p page, from, to []byte) error {
	keys := make([][]byte, p.count)
	children := make([]uint64, p.count)
	if p.count == 0 {
		return damage("a branch without leaves")
	}
	order := binary.NativeEndian
	items := p.items(from, to)
	for i := range p.count {
		element, err := p.element(i)
		if err != nil {
			return err
		}
		children[i] = order.Uint64(element[8:])
		if keys[i], _, err = items.next(i, order.Uint32(element), order.Uint32(element[4:]), 0); err != nil {
			return err
		}
	}
	for i, child := range children {
		end := to
		if i+1 < len(keys) {
			end = keys[i+1]
		}
		if err := c.tree(child, keys[i], end); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) leaf(p page, from, to []byte) error {
	order := binary.NativeEndian
	items := p.items(from, to)
	for i := range p.count {
		element, err := p.element(i)
		if err != nil {
			return err
		}
		_, value, err := items.next(i, order.Uint32(element[4:]), order.Uint32(element[8:]), order.Uint32(element[12:]))
		if err != nil {
			return err
		}
		switch order.Uint32(element) {
		case 0:
		case bucketEntryFlag:
			if err := c.bucket(value); err != nil {
				return err
			}
		default:
			return damage("an element is of no kind")
		}
	}
	return nil
}

// bucket checks a bucket inside a leaf: a root page's number, or, where that is
// 0, the bucket's only page itself.
func (c *check) bucket(value []byte) error {
	if len(value) < bucketBytes {
		return damage("a bucket is too short")
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.tree(root, nil, nil)
	}
	body := value[bucketBytes:]
	if len(body) < pageHeaderBytes || binary.NativeEndian.Uint16(body[8:]) != leafFlag {
		return damage("an inline bucket is not a leaf")
	}
	return c.leaf(page{flags: leafFlag, count: int(binary.NativeEndian.Uint16(body[10:])), data: body}, nil, nil)
}

// element gives the i-th entry of the page's table.
func (p page) element(i int) ([]byte, error) {
	start := pageHeaderBytes + i*elementBytes
	if start+elementBytes > len(p.data) {
		return nil, damage("a page's table is too long")
	}
	return p.data[start : start+elementBytes], nil
}

// items are keys and values as bbolt lays them out: each where the one before it
// ends, the first behind the table. A page whose table has lost its last elements is
// told by that, for its first item then lies too far off. Keys ascend.
type items struct {
	data     []byte
	end      uint64 // of the item before
	before   []byte // its key, or nil
	from, to []byte // keys lie in [from, to); nil is no bound
}

func (p page) items(from, to []byte) *items {
	return &items{data: p.data, end: uint64(pageHeaderBytes + p.count*elementBytes), from: from, to: to} //nolint:gosec // a count of elements
}

// next gives key and value of the i-th element; pos counts from the element.
func (s *items) next(i int, pos, keyBytes, valueBytes uint32) (key, value []byte, err error) {
	start := uint64(pageHeaderBytes+i*elementBytes) + uint64(pos) //nolint:gosec // i is a count of elements
	end := start + uint64(keyBytes) + uint64(valueBytes)
	if keyBytes == 0 || end > uint64(len(s.data)) || start != s.end {
		return nil, nil, damage("an element lies outside its place")
	}
	key, value = s.data[start:start+uint64(keyBytes)], s.data[start+uint64(keyBytes):end]
	if bytes.Compare(s.before, key) >= 0 || bytes.Compare(key, s.from) < 0 || s.to != nil && bytes.Compare(key, s.to) >= 0 {
		return nil, nil, damage("keys are out of order")
	}
	s.end, s.before = end, key
	return key, value, nil
}
