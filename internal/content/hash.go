package content

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	growth "github.com/zakibelm/astrogrowth"
)

// HashOf is the hash of a piece of content as it stands, with its media and the account that it is bound to.
func HashOf(c growth.Content) string {
	account := ""
	if c.AccountID != nil {
		account = string(*c.AccountID)
	}
	return Hash(c.Body, c.Title, c.Hashtags, account, c.Media)
}

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
