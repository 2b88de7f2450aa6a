package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// ID names an entry: a UUIDv7 (RFC 9562) whose time is the entry's time. The twelve
// bits after the version hold the fraction of the millisecond, so ids sort like the
// entries of a chain; the log makes each id greater than the one before it.
type ID [16]byte

// String returns the usual form, 36 lower-case characters.
func (id ID) String() string { return string(id.append(nil)) }

// IsZero reports whether the id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return id.append(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// Time returns the millisecond the id was made in.
func (id ID) Time() time.Time {
	ms := int64(binary.BigEndian.Uint64(id[:8]) >> 16)
	return time.UnixMilli(ms).UTC()
}

func (id ID) append(dst []byte) []byte {
	var s [36]byte
	hex.Encode(s[0:8], id[0:4])
	hex.Encode(s[9:13], id[4:6])
	hex.Encode(s[14:18], id[6:8])
	hex.Encode(s[19:23], id[8:10])
	hex.Encode(s[24:36], id[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return append(dst, s[:]...)
}

// ParseID reads the form [ID.String] writes, and nothing else: lower case, version 7.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 {
		return id, fmt.Errorf("%w: entry id has %d characters, want 36", ErrInvalid, len(s))
	}
	var digits [32]byte
	n := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return id, fmt.Errorf("%w: entry id %q wants '-' at %d", ErrInvalid, s, i)
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
			digits[n] = c
			n++
		default:
			return id, fmt.Errorf("%w: entry id %q", ErrInvalid, s)
		}
	}
	if _, err := hex.Decode(id[:], digits[:]); err != nil {
		return ID{}, fmt.Errorf("%w: entry id %q", ErrInvalid, s)
	}
	if id[6]>>4 != 7 || id[8]>>6 != 2 {
		return ID{}, fmt.Errorf("%w: entry id %q is not a version 7 UUID", ErrInvalid, s)
	}
	return id, nil
}

// mintID makes an id for time t that is greater than prev.
func mintID(t time.Time, prev ID) ID {
	var id ID
	sub := uint64(t.Nanosecond()%int(time.Millisecond)) << 12 / uint64(time.Millisecond)
	rand.Read(id[8:]) // never fails: crypto/rand ends the program instead
	id.set(uint64(t.UnixMilli())<<12|sub, binary.BigEndian.Uint64(id[8:]))
	if bytes.Compare(id[:], prev[:]) <= 0 {
		id = prev.next()
	}
	return id
}

// set stores a 60 bit time and 62 random bits around version and variant.
func (id *ID) set(stamp, random uint64) {
	binary.BigEndian.PutUint64(id[:8], stamp>>12<<16|7<<12|stamp&0xfff)
	binary.BigEndian.PutUint64(id[8:], 2<<62|random&(1<<62-1))
}

// next returns the smallest id greater than id.
func (id ID) next() ID {
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	stamp, random := hi>>16<<12|hi&0xfff, lo&(1<<62-1)
	if random++; random == 1<<62 {
		stamp, random = stamp+1, 0
	}
	id.set(stamp, random)
	return id
}
