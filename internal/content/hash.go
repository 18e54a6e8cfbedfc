package content

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Hash is what an approval binds to: the SHA-256 of the text with its hashtags, the account that posts it, and the media
// in their order. Every byte counts, and lengths go in so that no two contents share a hash by shifting a border.
func Hash(body, title string, hashtags []string, account string, media []string) string {
	h := sha256.New()
	write := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	writeAll := func(list []string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(list)))
		h.Write(n[:])
		for _, s := range list {
			write(s)
		}
	}
	write("content/1")
	write(body)
	write(title)
	writeAll(hashtags)
	write(account)
	writeAll(media)
	return hex.EncodeToString(h.Sum(nil))
}
